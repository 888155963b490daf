//! Rendering gives way to everything else.

use crate::session::Priority;

/// Sets the priority of the calling thread and of those that it starts. Failing to is no error: it only costs manners.
pub(super) fn set(priority: Priority) {
    if priority == Priority::Low {
        imp::lower();
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod imp {
    pub(super) fn lower() {
        // SAFETY: plain numbers; on Linux, `0` as a process means the calling thread.
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, 10);
        }
    }
}

#[cfg(target_os = "macos")]
mod imp {
    pub(super) fn lower() {
        // SAFETY: sets the calling thread's own class; the relative priority 0 is within its range.
        unsafe {
            libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_UTILITY, 0);
        }
    }
}

#[cfg(windows)]
mod imp {
    use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadPriority, THREAD_PRIORITY_BELOW_NORMAL};

    pub(super) fn lower() {
        // SAFETY: the pseudo handle of the calling thread is always valid and need not be closed.
        unsafe {
            SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL);
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos", windows)))]
mod imp {
    pub(super) fn lower() {}
}
