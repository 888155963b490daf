//! Exchanges: all workers bring numbers, and all get the same ones back.
//!
//! Worker 0 takes what the others bring in the order of their numbers, whoever is first, so sums do not depend on who was
//! faster.

use bytemuck::Pod;

use super::error::{GO_ON, PeersError};
use super::frame::{Head, Kind};
use super::link::Link;
use crate::names::printable;

/// A reason is cut after so many characters.
const LONGEST_REASON: usize = 2_000;

/// The connections of one worker: worker 0's to all others, another one's to worker 0.
#[derive(Debug)]
pub struct Star {
    meeting: u64,
    links: Vec<Link>,
    leads: bool,
    step: u64,
    turn: u32,
    /// Once an exchange has failed, none is tried any more; and the turn it was.
    failed: Option<(u32, PeersError)>,
}

/// What another worker gives as its reason.
pub fn reason(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    printable(&text).chars().take(LONGEST_REASON).collect()
}

fn words(head: Head, bytes: usize) -> String {
    let what = match head.kind {
        Kind::Mean => "a gradient",
        Kind::Figures => "losses",
        Kind::Flags => "whether to stop",
        Kind::Rows => "rows of a state",
        _ => "a greeting",
    };
    format!("{what} of {bytes} bytes (exchange {} of step {})", head.turn + 1, head.step + 1)
}

impl Star {
    /// After a meeting of this number. Worker 0 leads and has links to the others, in their order.
    pub fn new(meeting: u64, links: Vec<Link>, leads: bool) -> Self {
        Self { meeting, links, leads, step: 0, turn: 0, failed: None }
    }

    /// From now on exchanges belong to this step.
    pub fn at(&mut self, step: u64) {
        (self.step, self.turn) = (step, 0);
    }

    /// Everyone's `values` become what worker 0 makes of all of them: `combine` takes in those of the other workers, one
    /// after the other, and `finish` ends it.
    ///
    /// # Errors
    /// [`PeersError`] if a worker is lost, has stopped, or does something else.
    pub fn exchange<T: Pod>(
        &mut self,
        kind: Kind,
        values: &mut [T],
        combine: impl FnMut(usize, &mut [T], &[T]),
        finish: impl FnOnce(&mut [T]),
    ) -> Result<(), PeersError> {
        if let Some((_, error)) = &self.failed {
            return Err(error.clone());
        }
        let head = Head { kind, meeting: self.meeting, step: self.step, turn: self.turn };
        let done = self.try_exchange(head, values, combine, finish);
        self.failed = done.as_ref().err().map(|error| (self.turn, error.clone()));
        self.turn += 1;
        done
    }

    fn try_exchange<T: Pod>(
        &self,
        head: Head,
        values: &mut [T],
        mut combine: impl FnMut(usize, &mut [T], &[T]),
        finish: impl FnOnce(&mut [T]),
    ) -> Result<(), PeersError> {
        if !self.leads {
            for link in &self.links {
                send(link, head, bytemuck::cast_slice(values))?;
                let all = receive(link, head, size_of_val(values))?;
                bytemuck::cast_slice_mut(values).copy_from_slice(&all);
            }
            return Ok(());
        }
        for link in &self.links {
            let theirs = receive(link, head, size_of_val(values))?;
            combine(link.worker(), values, &bytemuck::pod_collect_to_vec(&theirs));
        }
        finish(values);
        self.links.iter().try_for_each(|link| send(link, head, bytemuck::cast_slice(values)))
    }

    /// Whether the first exchange of a step has failed.
    pub fn failed_at_once(&self) -> bool {
        matches!(self.failed, Some((0, _)))
    }

    /// Tells the others that this worker ends, and why; they will find out where they wait for it.
    pub fn leave(&mut self, reason: &str) {
        let head = Head { kind: Kind::Leave, meeting: self.meeting, step: self.step, turn: self.turn };
        // Who hears it says itself what to do.
        let reason = reason.trim_end_matches(GO_ON).trim_end_matches(['.', ' ']);
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        for link in &self.links {
            let _ = link.send(head, reason.as_bytes());
        }
    }
}

fn gone(link: &Link, head: Head, reason: &dyn ToString) -> PeersError {
    PeersError::Gone { worker: link.worker(), step: head.step + 1, reason: reason.to_string() }
}

fn send(link: &Link, head: Head, payload: &[u8]) -> Result<(), PeersError> {
    link.send(head, payload).map_err(|error| {
        // Its last word may have come before its end.
        match link.receive_within(std::time::Duration::ZERO) {
            Some(Ok(frame)) if frame.head.kind == Kind::Leave => left(link, head, &frame.payload),
            _ => gone(link, head, &format!("its connection failed: {error}")),
        }
    })
}

fn left(link: &Link, head: Head, payload: &[u8]) -> PeersError {
    PeersError::Left { worker: link.worker(), step: head.step + 1, reason: reason(payload) }
}

fn receive(link: &Link, head: Head, bytes: usize) -> Result<Vec<u8>, PeersError> {
    let frame = link.receive().map_err(|error| gone(link, head, &error))?;
    if frame.head == head && frame.payload.len() == bytes {
        return Ok(frame.payload);
    }
    Err(if frame.head.kind == Kind::Leave {
        left(link, head, &frame.payload)
    } else {
        let theirs = words(frame.head, frame.payload.len());
        PeersError::OutOfStep { worker: link.worker(), theirs, ours: words(head, bytes) }
    })
}
