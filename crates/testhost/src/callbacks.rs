//! What a plugin may ask of its host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use clack_extensions::params::{
    HostParams, HostParamsImplMainThread, HostParamsImplShared, ParamClearFlags, ParamRescanFlags,
};
use clack_extensions::state::{HostState, HostStateImpl};
use clack_host::prelude::*;

/// The types of this host's callbacks.
#[derive(Debug)]
pub(crate) struct Studio;

impl HostHandlers for Studio {
    type Shared<'a> = AnyThread;
    type MainThread<'a> = MainThread;
    type AudioProcessor<'a> = ();

    fn declare_extensions(builder: &mut HostExtensions<Self>, _: &AnyThread) {
        builder.register::<HostParams>().register::<HostState>();
    }
}

/// What any of the plugin's threads may call.
#[derive(Debug, Default)]
pub(crate) struct AnyThread {
    /// Whether the plugin waits for a call on the main thread.
    pub(crate) callback: Arc<AtomicBool>,
}

impl SharedHandler<'_> for AnyThread {
    fn request_restart(&self) {}
    fn request_process(&self) {}
    fn request_callback(&self) {
        self.callback.store(true, Ordering::Release);
    }
}

impl HostParamsImplShared for AnyThread {
    // Blocks follow each other without a pause, so the next one takes what the plugin wants to flush.
    fn request_flush(&self) {}
}

/// What the plugin calls on the main thread.
#[derive(Debug, Default)]
pub(crate) struct MainThread {
    /// How often the plugin has said that its project has changed.
    pub(crate) changes: Arc<AtomicUsize>,
}

impl MainThreadHandler<'_> for MainThread {}

impl HostParamsImplMainThread for MainThread {
    fn rescan(&self, _: ParamRescanFlags) {}
    fn clear(&self, _: ClapId, _: ParamClearFlags) {}
}

impl HostStateImpl for MainThread {
    fn mark_dirty(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }
}
