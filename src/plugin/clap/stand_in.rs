//! A stand-in for a host that has no `clap.gui`, which the framework takes for granted and aborts the host without.
//!
//! It answers for `clap.gui` and says no to every wish. All else goes to the host, under the host's own pointer: hosts may well
//! look at which one they are called with.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null;
use std::sync::atomic::{AtomicPtr, Ordering};

use clap_sys::ext::gui::{CLAP_EXT_GUI, clap_host_gui};
use clap_sys::ext::latency::{CLAP_EXT_LATENCY, clap_host_latency};
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_host_params, clap_param_clear_flags, clap_param_rescan_flags};
use clap_sys::ext::thread_check::{CLAP_EXT_THREAD_CHECK, clap_host_thread_check};
use clap_sys::ext::track_info::{CLAP_EXT_TRACK_INFO, clap_host_track_info, clap_track_info};
use clap_sys::ext::voice_info::{CLAP_EXT_VOICE_INFO, clap_host_voice_info};
use clap_sys::host::clap_host;
use clap_sys::id::clap_id;

/// A host as the framework sees it.
#[repr(C)]
pub(super) struct StandIn {
    /// First, so that a pointer to it is a pointer to the whole.
    pub(super) host: clap_host,
    real: *const clap_host,
    /// The host's extensions, as it gave them when the framework asked.
    latency: AtomicPtr<clap_host_latency>,
    params: AtomicPtr<clap_host_params>,
    thread_check: AtomicPtr<clap_host_thread_check>,
    track_info: AtomicPtr<clap_host_track_info>,
    voice_info: AtomicPtr<clap_host_voice_info>,
}

impl StandIn {
    /// For this host.
    ///
    /// # Safety
    /// `real` must outlive what comes of this, and its structure be complete.
    pub(super) unsafe fn new(real: *const clap_host) -> Box<Self> {
        // SAFETY: as the caller promises.
        let host = clap_host {
            get_extension: Some(get_extension),
            request_restart: Some(request_restart),
            request_process: Some(request_process),
            request_callback: Some(request_callback),
            ..unsafe { *real }
        };
        Box::new(Self {
            host,
            real,
            latency: AtomicPtr::default(),
            params: AtomicPtr::default(),
            thread_check: AtomicPtr::default(),
            track_info: AtomicPtr::default(),
            voice_info: AtomicPtr::default(),
        })
    }

    /// Notes down what the host has under this name, and gives `ours` if there is anything.
    ///
    /// # Safety
    /// A host's extension of this name must have the structure `T`.
    unsafe fn forward<T>(&self, id: &CStr, place: &AtomicPtr<T>, ours: *const T) -> *const c_void {
        // SAFETY: the host is there, and from `init` on it may be asked for its extensions.
        let found = unsafe { (*self.real).get_extension.map_or(null(), |get| get(self.real, id.as_ptr())) };
        place.store(found.cast::<T>().cast_mut(), Ordering::Release);
        if found.is_null() { null() } else { ours.cast() }
    }
}

/// The stand-in of a pointer that the framework was given.
///
/// # Safety
/// `host` is null or points to a living [`StandIn`]'s first field.
unsafe fn stand_in<'a>(host: *const clap_host) -> Option<&'a StandIn> {
    // SAFETY: as the caller promises.
    unsafe { host.cast::<StandIn>().as_ref() }
}

static NO_WINDOWS: clap_host_gui = clap_host_gui {
    resize_hints_changed: Some(ignore),
    request_resize: Some(refuse_size),
    request_show: Some(refuse),
    request_hide: Some(refuse),
    closed: Some(ignore_closing),
};

static LATENCY: clap_host_latency = clap_host_latency { changed: Some(latency_changed) };
static PARAMS: clap_host_params =
    clap_host_params { rescan: Some(rescan), clear: Some(clear), request_flush: Some(request_flush) };
static THREAD_CHECK: clap_host_thread_check =
    clap_host_thread_check { is_main_thread: Some(is_main_thread), is_audio_thread: Some(is_audio_thread) };
static TRACK_INFO: clap_host_track_info = clap_host_track_info { get: Some(track_info) };
static VOICE_INFO: clap_host_voice_info = clap_host_voice_info { changed: Some(voices_changed) };

unsafe extern "C" fn get_extension(host: *const clap_host, id: *const c_char) -> *const c_void {
    // SAFETY: only a `StandIn` has this function; ids are strings, and each extension has the structure of its name.
    unsafe {
        let Some(this) = stand_in(host).filter(|_| !id.is_null()) else { return null() };
        match CStr::from_ptr(id) {
            id if id == CLAP_EXT_GUI => (&raw const NO_WINDOWS).cast(),
            id if id == CLAP_EXT_LATENCY => this.forward(id, &this.latency, &raw const LATENCY),
            id if id == CLAP_EXT_PARAMS => this.forward(id, &this.params, &raw const PARAMS),
            id if id == CLAP_EXT_THREAD_CHECK => this.forward(id, &this.thread_check, &raw const THREAD_CHECK),
            id if id == CLAP_EXT_TRACK_INFO => this.forward(id, &this.track_info, &raw const TRACK_INFO),
            id if id == CLAP_EXT_VOICE_INFO => this.forward(id, &this.voice_info, &raw const VOICE_INFO),
            // The framework asks for no others; what it cannot call with the host's own pointer, it does not get.
            _ => null(),
        }
    }
}

/// Calls a function of the host's own structure, or of one of its extensions, in the place of ours.
macro_rules! pass_on {
    ($name:ident = host.$function:ident) => {
        unsafe extern "C" fn $name(host: *const clap_host) {
            // SAFETY: only a `StandIn` has this function, and the host behind it lives.
            unsafe {
                if let Some(this) = stand_in(host)
                    && let Some(function) = (*this.real).$function
                {
                    function(this.real);
                }
            }
        }
    };
    ($name:ident = $place:ident.$function:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?) => {
        unsafe extern "C" fn $name(host: *const clap_host $(, $argument: $kind)*) $(-> $result)? {
            // SAFETY: as above; the extension is the host's, which keeps it.
            unsafe {
                if let Some(this) = stand_in(host)
                    && let Some(extension) = this.$place.load(Ordering::Acquire).as_ref()
                    && let Some(function) = extension.$function
                {
                    return function(this.real $(, $argument)*);
                }
            }
            Default::default()
        }
    };
}

pass_on!(request_restart = host.request_restart);
pass_on!(request_process = host.request_process);
pass_on!(request_callback = host.request_callback);
pass_on!(latency_changed = latency.changed());
pass_on!(rescan = params.rescan(flags: clap_param_rescan_flags));
pass_on!(clear = params.clear(id: clap_id, flags: clap_param_clear_flags));
pass_on!(request_flush = params.request_flush());
pass_on!(is_main_thread = thread_check.is_main_thread() -> bool);
pass_on!(is_audio_thread = thread_check.is_audio_thread() -> bool);
pass_on!(track_info = track_info.get(info: *mut clap_track_info) -> bool);
pass_on!(voices_changed = voice_info.changed());

unsafe extern "C" fn ignore(_host: *const clap_host) {}

unsafe extern "C" fn ignore_closing(_host: *const clap_host, _destroyed: bool) {}

unsafe extern "C" fn refuse(_host: *const clap_host) -> bool {
    false
}

unsafe extern "C" fn refuse_size(_host: *const clap_host, _width: u32, _height: u32) -> bool {
    false
}
