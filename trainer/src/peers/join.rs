//! How a worker comes to the meeting that worker 0 holds.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::PeersError;
use super::frame::{self, FrameError, Head, Kind};
use super::handle::Peers;
use super::key::Key;
use super::link::{Link, prepare};
use super::standing::Standing;
use super::star::{Star, reason};

/// Bytes of a proof, in front of the greeting.
pub const PROOF: usize = 32;
/// Bytes of proof and greeting at most.
pub const MOST_GREETING: usize = 4_096;

/// A connection has so long to come about.
const CALL: Duration = Duration::from_secs(3);
/// Between two calls.
const PAUSE: Duration = Duration::from_millis(100);
/// Worker 0 has so long for its first frame.
const CHALLENGE: Duration = Duration::from_secs(10);

/// Who comes, and what it is about to train.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Its number.
    pub worker: usize,
    /// Where it stands.
    pub standing: Standing,
}

/// Calls worker 0 until it answers, and waits with it until all workers are there. `called_off` is asked again and again
/// whether to give up, and why.
///
/// # Errors
/// [`PeersError::Address`] if nobody answers within `patience`, or somebody else does; [`PeersError::Refused`] if this
/// worker stands elsewhere; [`PeersError::CalledOff`].
pub fn join(
    address: &str,
    greeting: &Greeting,
    key: &Key,
    patience: Duration,
    called_off: &mut dyn FnMut() -> Option<String>,
) -> Result<Peers, PeersError> {
    let Greeting { worker, standing } = greeting;
    let worker = *worker;
    let failed = |reason: String| PeersError::Address { address: address.into(), reason };
    let begun = Instant::now();
    loop {
        if let Some(why) = called_off() {
            return Err(PeersError::CalledOff(why));
        }
        let reached = call(address, greeting, key);
        match reached {
            Ok((stream, meeting)) => {
                let link = Link::new(0, stream, meeting, standing.most_bytes.max(MOST_GREETING));
                let link = link.map_err(|error| failed(error.to_string()))?;
                if let Some(peers) = seated(link, meeting, worker, standing, called_off)? {
                    return Ok(peers);
                }
            }
            Err(error @ (FrameError::Foreign | FrameError::TooLong { .. })) => {
                return Err(failed(format!("who answers is no worker: {error}")));
            }
            Err(error) if begun.elapsed() >= patience => {
                return Err(failed(format!("worker 0 does not answer: {error}")));
            }
            Err(_) => {}
        }
        if begun.elapsed() >= patience {
            return Err(failed("worker 0 hangs up".into()));
        }
        thread::sleep(PAUSE);
    }
}

/// Calls once and greets. Gives back the connection and the meeting's number.
fn call(address: &str, greeting: &Greeting, key: &Key) -> Result<(TcpStream, u64), FrameError> {
    let mut last = FrameError::Io(std::io::Error::other("the name has no address"));
    for place in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, CALL) {
            Err(error) => last = error.into(),
            Ok(mut stream) => {
                prepare(&stream)?;
                let challenge = frame::read(&mut stream, 0, Some(Instant::now() + CHALLENGE))?;
                let meeting = challenge.head.meeting;
                let text = serde_json::to_vec(greeting).map_err(std::io::Error::from)?;
                let hello = [&key.proof(meeting, &text)[..], &text[..]].concat();
                frame::write(&mut stream, Head { kind: Kind::Hello, meeting, step: 0, turn: 0 }, &hello)?;
                return Ok((stream, meeting));
            }
        }
    }
    Err(last)
}

/// Waits for the others. `None` if worker 0 has hung up without a word, as it does when too many call at once.
fn seated(
    link: Link,
    meeting: u64,
    worker: usize,
    standing: &Standing,
    called_off: &mut dyn FnMut() -> Option<String>,
) -> Result<Option<Peers>, PeersError> {
    loop {
        if let Some(why) = called_off() {
            return Err(PeersError::CalledOff(why));
        }
        let Some(answer) = link.receive_within(PAUSE) else { continue };
        let Ok(frame) = answer else { return Ok(None) };
        return match frame.head.kind {
            Kind::Welcome => Ok(Some(Peers::new(worker, standing.workers, Star::new(meeting, vec![link], false)))),
            Kind::Refused => Err(PeersError::Refused { worker, reason: reason(&frame.payload) }),
            _ => Err(PeersError::CalledOff(format!("worker 0 has stopped: {}", reason(&frame.payload)))),
        };
    }
}
