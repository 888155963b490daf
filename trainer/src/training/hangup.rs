//! Whether the end of the terminal is to end the program.

use std::mem::MaybeUninit;

/// Whether whoever started the program wants it to outlive its terminal, as `nohup` does.
pub fn is_hangup_ignored() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with nothing to set, the call only writes the present action to the place that it is given, and zeros are one.
    unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
