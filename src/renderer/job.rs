//! The worker thread: one request after the other.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::{Shared, conclude, priority};
use crate::session::Status;

pub(super) fn start(shared: Arc<Shared>) -> Option<JoinHandle<()>> {
    let spawned = std::thread::Builder::new().name("continuo-render".to_owned()).spawn(move || run(&shared));
    spawned.inspect_err(|error| tracing::error!("no thread for Continuo's renders: {error}")).ok()
}

fn run(shared: &Arc<Shared>) {
    priority::lower();
    while let Some(request) = shared.next_request() {
        let Some(session) = request.session.upgrade() else { continue };
        conclude(&session, &request.ticket, Status::Failed);
    }
}
