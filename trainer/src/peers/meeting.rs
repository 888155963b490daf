//! Where workers meet: worker 0 listens until all others have come, and nobody who should not disturbs it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::error::PeersError;
use super::frame::{self, FrameError, Head, Kind};
use super::handle::Peers;
use super::join::{Greeting, MOST_GREETING, PROOF};
use super::key::{Key, random};
use super::link::{Link, prepare};
use super::standing::Standing;
use super::star::{Star, reason};

/// A caller has so long for its greeting.
const GREETING: Duration = Duration::from_secs(10);
/// Callers that may be greeting at once; more are hung up on, and workers among them call again.
const MOST_CALLERS: usize = 64;
/// How often callers and seats are looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// A place to meet that listens from now on.
#[derive(Debug)]
pub struct Meeting {
    listener: TcpListener,
    address: SocketAddr,
}

/// A caller that has greeted.
struct Caller {
    stream: TcpStream,
    greeting: Greeting,
}

impl Meeting {
    /// Listens at this address and at no other; port 0 takes a free one.
    ///
    /// # Errors
    /// [`PeersError::Address`].
    pub fn at(address: &str) -> Result<Self, PeersError> {
        let failed = |error: std::io::Error| PeersError::Address { address: address.into(), reason: error.to_string() };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Listens where only this machine reaches it.
    ///
    /// # Errors
    /// [`PeersError::Address`].
    pub fn here() -> Result<Self, PeersError> {
        Self::at("127.0.0.1:0")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until all workers have come that stand where worker 0 does, then stops listening. `called_off` is asked again
    /// and again whether to give up, and why.
    ///
    /// # Errors
    /// [`PeersError::Missing`] after `patience`; [`PeersError::CalledOff`].
    pub fn welcome(
        self,
        standing: &Standing,
        key: &Key,
        patience: Duration,
        called_off: &mut dyn FnMut() -> Option<String>,
    ) -> Result<Peers, PeersError> {
        let mut table = Table {
            meeting: random(),
            standing,
            seats: (1..standing.workers).map(|_| None).collect(),
            refused: String::new(),
        };
        let (greeted, callers) = mpsc::channel();
        let greeting = Arc::new(());
        let begun = Instant::now();
        while table.seats.iter().any(Option::is_none) {
            if let Some(why) = called_off() {
                table.dismiss(&why);
                return Err(PeersError::CalledOff(why + &table.refused));
            }
            if begun.elapsed() >= patience {
                table.dismiss("not all workers came");
                return Err(table.missing(patience));
            }
            match self.listener.accept() {
                Ok((stream, _)) if Arc::weak_count(&greeting) < MOST_CALLERS => {
                    greet(stream, table.meeting, key.clone(), greeted.clone(), Arc::downgrade(&greeting));
                }
                Ok(_) => {}
                // Nobody calls, or somebody who did has hung up.
                Err(_) => thread::sleep(GLANCE),
            }
            while let Ok(caller) = callers.try_recv() {
                table.seat(caller);
            }
            table.look();
        }
        let Table { meeting, seats, .. } = table;
        let links: Vec<Link> = seats.into_iter().flatten().collect();
        for link in &links {
            let sent = link.send(Head { kind: Kind::Welcome, meeting, step: standing.step, turn: 0 }, &[]);
            sent.map_err(|error| PeersError::Gone {
                worker: link.worker(),
                step: standing.step + 1,
                reason: error.to_string(),
            })?;
        }
        Ok(Peers::new(0, standing.workers, Star::new(meeting, links, true)))
    }
}

/// Asks a caller for its greeting, on a thread of its own: one that says nothing keeps nobody waiting.
fn greet(stream: TcpStream, meeting: u64, key: Key, greeted: Sender<Caller>, counted: Weak<()>) {
    // Without a thread the caller is hung up on.
    let _ = thread::Builder::new().name("greets a worker".into()).spawn(move || {
        if let Ok(Some(caller)) = asked(stream, meeting, &key) {
            let _ = greeted.send(caller);
        }
        drop(counted);
    });
}

fn asked(mut stream: TcpStream, meeting: u64, key: &Key) -> Result<Option<Caller>, FrameError> {
    prepare(&stream)?;
    let head = Head { kind: Kind::Challenge, meeting, step: 0, turn: 0 };
    frame::write(&mut stream, head, &[])?;
    let hello = frame::read(&mut stream, MOST_GREETING, Some(Instant::now() + GREETING))?;
    let Some((proof, text)) = hello.payload.split_at_checked(PROOF) else { return Ok(None) };
    if hello.head != (Head { kind: Kind::Hello, ..head }) {
        return Ok(None);
    }
    if proof != key.proof(meeting, text) {
        let words = format!("its key ({}) is another", super::key::VARIABLE);
        frame::write(&mut stream, Head { kind: Kind::Refused, ..head }, words.as_bytes())?;
        return Ok(None);
    }
    Ok(serde_json::from_slice(text).ok().map(|greeting| Caller { stream, greeting }))
}

/// Who has come.
struct Table<'a> {
    meeting: u64,
    standing: &'a Standing,
    /// Of workers 1 and up.
    seats: Vec<Option<Link>>,
    /// Who was refused last and why, as the end of a sentence.
    refused: String,
}

impl Table<'_> {
    /// Takes a caller in, or tells it why not.
    fn seat(&mut self, Caller { mut stream, greeting }: Caller) {
        let Greeting { worker, standing } = greeting;
        let seat = worker.checked_sub(1).and_then(|seat| self.seats.get_mut(seat));
        let why = match (self.standing.differs(&standing), seat) {
            (Some(differs), _) => differs,
            (None, None) => "there is no worker of that number to be had".to_owned(),
            (None, Some(Some(_))) => "a worker of that number is here already".to_owned(),
            (None, Some(seat)) => {
                *seat = Link::new(worker, stream, self.meeting, self.standing.most_bytes).ok();
                return;
            }
        };
        let head = Head { kind: Kind::Refused, meeting: self.meeting, step: 0, turn: 0 };
        let _ = frame::write(&mut stream, head, why.as_bytes());
        let why = reason(why.as_bytes());
        eprintln!("worker {worker} is refused: {why}");
        self.refused = format!("; worker {worker} was refused: {why}");
    }

    /// Frees the seats of those who have gone again.
    fn look(&mut self) {
        for seat in &mut self.seats {
            // Nobody has anything to say before all are here.
            if seat.as_ref().is_some_and(|link| link.receive_within(Duration::ZERO).is_some()) {
                *seat = None;
            }
        }
    }

    /// Sends home who has come.
    fn dismiss(&self, why: &str) {
        for link in self.seats.iter().flatten() {
            let _ = link.send(Head { kind: Kind::Leave, meeting: self.meeting, step: 0, turn: 0 }, why.as_bytes());
        }
    }

    fn missing(&self, patience: Duration) -> PeersError {
        let all = self.seats.iter().enumerate().filter(|(_, seat)| seat.is_none());
        let numbers: Vec<String> = all.map(|(seat, _)| format!("worker {}", seat + 1)).collect();
        let (missing, refused) = (numbers.join(" and "), self.refused.clone());
        PeersError::Missing { missing, seconds: patience.as_secs(), refused }
    }
}
