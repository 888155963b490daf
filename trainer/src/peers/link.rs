//! One connection to another worker: a thread that reads, so that nobody is kept from writing, and one that shows a sign of
//! life.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::frame::{self, Frame, FrameError, Head, Kind, SILENCE};

/// How often a sign of life is sent.
const BEAT: Duration = Duration::from_secs(2);
/// How often a reader that waits looks at the time.
const GLANCE: Duration = Duration::from_millis(500);
/// Frames that may wait to be taken: a worker is never more than one exchange ahead.
const WAITING: usize = 2;

/// The writing side, shared with the thread that shows life.
#[derive(Debug)]
struct Out {
    stream: TcpStream,
    /// Held while a frame is written.
    writing: Mutex<()>,
}

impl Out {
    fn send(&self, head: Head, payload: &[u8]) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        frame::write(&mut &self.stream, head, payload)
    }
}

/// A connection to another worker.
#[derive(Debug)]
pub struct Link {
    worker: usize,
    out: Arc<Out>,
    frames: Receiver<Result<Frame, FrameError>>,
    /// Its end is the end of the thread that shows life.
    _living: Sender<()>,
}

/// Sets what every connection between workers needs, also before it is a link.
///
/// # Errors
/// What the system says.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GLANCE))?;
    stream.set_write_timeout(Some(SILENCE))
}

impl Link {
    /// A link to a worker over a connection that was [`prepare`]d. Frames have `most` bytes of payload at most.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn new(worker: usize, stream: TcpStream, meeting: u64, most: usize) -> io::Result<Self> {
        let (taken, frames) = mpsc::sync_channel(WAITING);
        let (living, end) = mpsc::channel();
        let mut incoming = stream.try_clone()?;
        let out = Arc::new(Out { stream, writing: Mutex::default() });
        let name = |what| thread::Builder::new().name(format!("{what} worker {worker}"));
        name("reads").spawn(move || read(&mut incoming, most, &taken))?;
        let beating = Arc::clone(&out);
        name("beats").spawn(move || beat(&beating, meeting, &end))?;
        Ok(Self { worker, out, frames, _living: living })
    }

    /// Whom it leads to.
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// If the other side is gone, or takes nothing for [`SILENCE`].
    pub fn send(&self, head: Head, payload: &[u8]) -> io::Result<()> {
        self.out.send(head, payload)
    }

    /// Waits for the next frame, as long as the other side shows life.
    ///
    /// # Errors
    /// [`FrameError`]; then nothing more comes.
    pub fn receive(&self) -> Result<Frame, FrameError> {
        self.frames.recv().unwrap_or(Err(FrameError::Closed))
    }

    /// The next frame, if it comes within this time.
    pub fn receive_within(&self, time: Duration) -> Option<Result<Frame, FrameError>> {
        match self.frames.recv_timeout(time) {
            Ok(frame) => Some(frame),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(FrameError::Closed)),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Ends both threads, wherever they wait.
        let _ = self.out.stream.shutdown(Shutdown::Both);
    }
}

fn read(from: &mut TcpStream, most: usize, to: &SyncSender<Result<Frame, FrameError>>) {
    loop {
        match frame::read(from, most, None) {
            Ok(frame) if frame.head.kind == Kind::Alive => {}
            frame => {
                let last = frame.is_err();
                if to.send(frame).is_err() || last {
                    return;
                }
            }
        }
    }
}

fn beat(out: &Out, meeting: u64, end: &Receiver<()>) {
    let head = Head { kind: Kind::Alive, meeting, step: 0, turn: 0 };
    while end.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        // That the other side is gone is told by whoever reads.
        if out.send(head, &[]).is_err() {
            return;
        }
    }
}
