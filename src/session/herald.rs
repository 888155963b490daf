//! Telling the host that what it saves has changed.

use std::fmt;
use std::sync::Mutex;

use super::lock::lock;

/// How an instance makes its host ask it, on the host's main thread, whether it has changed.
type Call = Box<dyn Fn() + Send>;

/// Who tells the host that what it saves beside the parameters has changed. Without a host, nobody does.
#[derive(Default)]
pub(crate) struct Herald(Mutex<Option<Call>>);

impl Herald {
    /// Takes `call` as the way to the host. It may come from any thread, and must not come back to this herald.
    pub(crate) fn appoint(&self, call: impl Fn() + Send + 'static) {
        *lock(&self.0) = Some(Box::new(call));
    }

    /// From when this returns on, no call comes: the host may go.
    pub(crate) fn dismiss(&self) {
        *lock(&self.0) = None;
    }

    pub(super) fn call(&self) {
        if let Some(call) = &*lock(&self.0) {
            call();
        }
    }
}

impl fmt::Debug for Herald {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Herald")
    }
}
