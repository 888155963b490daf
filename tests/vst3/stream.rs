//! A host's stream, as bad as hosts have them.

use std::ffi::c_void;
use std::sync::Mutex;

use nice_plug::wrapper::vst3::vst3::Class;
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    IBStream, IBStreamTrait, int32, int64, kNotImplemented, kResultFalse, kResultOk, tresult,
};

/// A host's stream that moves few bytes at a time, and none after some.
pub struct Stream {
    pub inner: Mutex<Inner>,
    /// Most bytes per call.
    pub piece: usize,
    /// Where it fails; what a failure looks like differs between hosts.
    pub fails_at: usize,
    pub failure: tresult,
    /// Whether it can say where it is and how long it is.
    pub seeks: bool,
}

pub struct Inner {
    pub bytes: Vec<u8>,
    pub position: usize,
}

impl Stream {
    pub fn new(bytes: &[u8], piece: usize) -> Self {
        let inner = Mutex::new(Inner { bytes: bytes.to_vec(), position: 0 });
        Self { inner, piece, fails_at: usize::MAX, failure: kResultFalse, seeks: true }
    }
}

impl Class for Stream {
    type Interfaces = (IBStream,);
}

impl IBStreamTrait for Stream {
    unsafe fn read(&self, buffer: *mut c_void, asked: int32, count: *mut int32) -> tresult {
        let mut inner = self.inner.lock().unwrap();
        let position = inner.position;
        let given = self.piece.min(asked as usize).min(inner.bytes.len() - position).min(self.fails_at - position);
        // SAFETY: the plugin gives room for as many bytes as it asks for.
        unsafe {
            std::ptr::copy_nonoverlapping(inner.bytes.as_ptr().add(position), buffer.cast(), given);
            *count = given as int32;
        }
        inner.position += given;
        // Some hosts call the end of a stream a failure.
        if given == 0 { kResultFalse } else { kResultOk }
    }

    unsafe fn write(&self, buffer: *mut c_void, asked: int32, count: *mut int32) -> tresult {
        let mut inner = self.inner.lock().unwrap();
        let taken = self.piece.min(asked as usize).min(self.fails_at - inner.bytes.len());
        // SAFETY: the plugin's buffer holds as many bytes as it offers.
        unsafe {
            inner.bytes.extend_from_slice(std::slice::from_raw_parts(buffer.cast(), taken));
            *count = taken as int32;
        }
        if taken == 0 { self.failure } else { kResultOk }
    }

    unsafe fn seek(&self, offset: int64, mode: int32, result: *mut int64) -> tresult {
        if !self.seeks {
            return kNotImplemented;
        }
        let mut inner = self.inner.lock().unwrap();
        let from = [0, inner.position, inner.bytes.len()][mode as usize];
        inner.position = (from as i64 + offset) as usize;
        if !result.is_null() {
            // SAFETY: not null, so it has room for a position.
            unsafe { *result = inner.position as i64 };
        }
        kResultOk
    }

    unsafe fn tell(&self, position: *mut int64) -> tresult {
        if !self.seeks {
            return kNotImplemented;
        }
        // SAFETY: the plugin gives room for a position.
        unsafe { *position = self.inner.lock().unwrap().position as i64 };
        kResultOk
    }
}
