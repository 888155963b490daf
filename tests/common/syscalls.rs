//! Catches a thread's system calls, where Linux can give them back to the program (since 5.11, on x86-64).

use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicU8, Ordering};

const PR_SET_SYSCALL_USER_DISPATCH: libc::c_int = 59;
const ON: libc::c_ulong = 1;
const ALLOW: u8 = 0;
const BLOCK: u8 = 1;

thread_local! {
    /// What the kernel looks at before each call of this thread.
    static SELECTOR: AtomicU8 = const { AtomicU8::new(ALLOW) };
    /// Whether the kernel looks: not asked yet, or its answer.
    static ENROLLED: Cell<Option<bool>> = const { Cell::new(None) };
    static CAUGHT: Cell<Option<i32>> = const { Cell::new(None) };
}

/// Where the number of the call lies in what a signal tells.
const NUMBER_AT: usize = 24;

extern "C" fn caught(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // Before anything else: the return from here is a call as well.
    SELECTOR.with(|selector| selector.store(ALLOW, Ordering::Relaxed));
    // SAFETY: the kernel gives the structure, and of a SIGSYS the number lies there.
    let number = unsafe { info.cast::<u8>().add(NUMBER_AT).cast::<i32>().read_unaligned() };
    CAUGHT.with(|caught| caught.set(Some(number)));
}

fn enrol() -> bool {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // SAFETY: a structure of zeros is valid, and the handler keeps to what a handler may do.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = caught as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut());
        }
    });
    SELECTOR.with(|selector| {
        let none: libc::c_ulong = 0;
        // SAFETY: the selector lives as long as the thread.
        unsafe { libc::prctl(PR_SET_SYSCALL_USER_DISPATCH, ON, none, none, selector.as_ptr()) == 0 }
    })
}

/// What a thread asked of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    Nothing,
    /// This call first.
    Call(i32),
    /// The system cannot tell.
    Unknown,
}

/// Runs `work` on this thread and says which system call it made first, if any; that one is not carried out, those after it are.
pub fn watched<T>(work: impl FnOnce() -> T) -> (T, Asked) {
    let enrolled = ENROLLED.with(|enrolled| {
        let answer = enrolled.get().unwrap_or_else(enrol);
        enrolled.set(Some(answer));
        answer
    });
    if !enrolled {
        return (work(), Asked::Unknown);
    }
    CAUGHT.with(|caught| caught.set(None));
    SELECTOR.with(|selector| selector.store(BLOCK, Ordering::Relaxed));
    let result = work();
    SELECTOR.with(|selector| selector.store(ALLOW, Ordering::Relaxed));
    (result, CAUGHT.with(Cell::get).map_or(Asked::Nothing, Asked::Call))
}
