//! Workers as processes: where this one has its place, how it starts the others, and how all of them meet.

use std::ffi::OsString;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::{DeviceArg, WorkersArgs};
use crate::device::{Device, cores};
use crate::peers::handle::share;
use crate::peers::join::{Greeting, join};
use crate::peers::key::{self, Key};
use crate::peers::meeting::Meeting;
use crate::peers::{Peers, PeersError, Standing};
use crate::training::stop;

/// How long worker 0 waits for those that it has started: a GPU takes its time, and one that fails is noticed at once.
const STARTING: Duration = Duration::from_mins(5);
/// How long workers that people start wait for one another.
const MEETING: Duration = Duration::from_mins(10);
/// How long one that worker 0 has started looks for it: it listens already, or is gone.
const CALLING: Duration = Duration::from_secs(1);
/// How long worker 0 waits for the others to end.
const ENDING: Duration = Duration::from_secs(10);

/// This process among the workers.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    args: &'a WorkersArgs,
    /// Which worker it is, counted from 0.
    pub worker: usize,
    /// How many there are.
    pub workers: usize,
}

/// The processes that worker 0 has started. They end when it does.
#[derive(Debug, Default)]
pub struct Children(Vec<Child>);

impl<'a> Place<'a> {
    /// What the command line says. From here on this process takes its share of the cores.
    pub fn of(args: &'a WorkersArgs) -> Self {
        let (worker, workers) = args.worker.map_or((0, args.workers.unwrap_or(1)), |worker| (worker.number, worker.of));
        cores::share_among(args.workers.unwrap_or(1).max(args.beside));
        Self { args, worker, workers }
    }

    /// Whether this is the process that has the run's folder and speaks.
    pub fn leads(&self) -> bool {
        self.worker == 0
    }

    /// Whether a batch of so many sequences can be shared.
    ///
    /// # Errors
    /// [`PeersError::Uneven`].
    pub fn shares(&self, sequences: usize) -> Result<(), PeersError> {
        share(sequences, self.worker, self.workers).map(drop)
    }

    /// Meets the others. Worker 0 of `--workers` starts them: `command` is what each of them is to do, but for its device
    /// and its place.
    ///
    /// # Errors
    /// [`PeersError`] if not all come to stand where this one does.
    pub fn meet(
        &self,
        standing: &Standing,
        device: &Device,
        command: &[OsString],
    ) -> Result<(Peers, Children), PeersError> {
        if self.workers == 1 {
            return Ok((Peers::default(), Children::default()));
        }
        let interrupted = || stop::requested().then(|| "interrupted before training began".to_owned());
        match &self.args.meet {
            None => {
                let meeting = Meeting::here()?;
                let key = Key::fresh();
                let mut children = Children::default();
                for worker in 1..self.workers {
                    children.start(worker, self.workers, device, command, &meeting, &key)?;
                }
                let mut called_off = || interrupted().or_else(|| children.ended());
                let peers = meeting.welcome(standing, &key, STARTING, &mut called_off)?;
                Ok((peers, children))
            }
            Some(address) if self.leads() => {
                let meeting = Meeting::at(address)?;
                eprintln!("waiting at {} for {} other workers", meeting.address(), self.workers - 1);
                let peers = meeting.welcome(standing, &Key::given(), MEETING, &mut { interrupted })?;
                Ok((peers, Children::default()))
            }
            Some(address) => {
                let greeting = Greeting { worker: self.worker, standing: standing.clone() };
                let patience = if self.args.beside > 1 { CALLING } else { MEETING };
                let peers = join(address, &greeting, &Key::given(), patience, &mut { interrupted })?;
                Ok((peers, Children::default()))
            }
        }
    }
}

/// A device of its own for another worker on this machine: the GPU of the next number, or the CPU, whose cores are shared.
fn beside(device: &Device, worker: usize) -> DeviceArg {
    match device {
        Device::Cpu => DeviceArg::Cpu,
        Device::Cuda { index, .. } => DeviceArg::Cuda(index + worker),
        Device::Gpu { index, .. } => DeviceArg::Gpu(index + worker),
    }
}

impl Children {
    fn start(
        &mut self,
        worker: usize,
        workers: usize,
        device: &Device,
        command: &[OsString],
        meeting: &Meeting,
        key: &Key,
    ) -> Result<(), PeersError> {
        let failed = |error| PeersError::CalledOff(format!("worker {worker} could not be started: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let child = Command::new(program)
            .args(command)
            .args(["--device", &beside(device, worker).to_string()])
            .args(["--worker", &format!("{worker}/{workers}"), "--meet", &meeting.address().to_string()])
            .args(["--beside", &workers.to_string()])
            // Not on the command line, which everybody on the machine can read.
            .env(key::VARIABLE, key.text())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.0.push(child.map_err(failed)?);
        Ok(())
    }

    /// Whether one has ended already, in words.
    fn ended(&mut self) -> Option<String> {
        self.0.iter_mut().zip(1..).find_map(|(child, worker)| {
            let status = child.try_wait().ok()??;
            Some(format!("worker {worker} has ended before training began ({status})"))
        })
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        // Their connections are closed by now, so they end by themselves; whoever hangs in a driver is ended.
        let begun = Instant::now();
        for child in &mut self.0 {
            while begun.elapsed() < ENDING && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(10));
            }
            if matches!(child.try_wait(), Ok(None)) {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
