//! What an open editor costs in processor time, thread by thread: while nothing moves, and while the take plays. `cargo xtask bench editor`.
//!
//! On an X server without a screen (Xvfb), so that it is drawn in software: nothing is dearer. The plugin is the one that is linked in.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(target_os = "linux")]
#[path = "../tests/common/display.rs"]
mod display;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("processor time by thread is read from Linux' /proc");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use anyhow::{Context as _, Result, ensure};
    use continuo_testhost::{EntryDescriptor, Plugin, Setup};

    use crate::display::Display;

    const SECONDS: u64 = 10;
    const RATE_HZ: u32 = 48_000;
    const BLOCK: u32 = 512;

    fn instance() -> Result<Plugin> {
        // SAFETY: both are the structure that CLAP's headers define, and the entry is this program's own.
        let entry = unsafe { &*(&raw const continuo::plugin::clap::clap_entry).cast::<EntryDescriptor>() };
        // SAFETY: the framework's functions and ours keep to the CLAP headers.
        unsafe { Plugin::linked(entry) }
    }

    /// Processor time of each thread up to now, in nanoseconds, and its name.
    fn threads() -> Result<BTreeMap<String, (String, u64)>> {
        let mut found = BTreeMap::new();
        for thread in std::fs::read_dir("/proc/self/task")? {
            let folder = thread?.path();
            let (Ok(name), Ok(times)) =
                (std::fs::read_to_string(folder.join("comm")), std::fs::read_to_string(folder.join("schedstat")))
            else {
                // It has ended meanwhile.
                continue;
            };
            let spent = times.split(' ').next().context("no time")?.parse()?;
            let number = folder.file_name().context("no number")?.to_string_lossy().into_owned();
            found.insert(number, (name.trim().to_owned(), spent));
        }
        Ok(found)
    }

    /// Runs `work` for some seconds and tells what share of a core each kind of thread took.
    fn measure(what: &str, work: impl FnOnce(Instant) -> Result<()>) -> Result<()> {
        let (before, since) = (threads()?, Instant::now());
        work(since + Duration::from_secs(SECONDS))?;
        let (after, elapsed) = (threads()?, since.elapsed().as_nanos() as f64);
        let mut shares: BTreeMap<String, f64> = BTreeMap::new();
        for (number, (name, spent)) in after {
            let spent = spent - before.get(&number).map_or(0, |(_, spent)| *spent).min(spent);
            // llvmpipe-0, llvmpipe-1, …: one thread per core.
            let kind = name.trim_end_matches(|sign: char| sign == '-' || sign.is_ascii_digit()).to_owned();
            *shares.entry(kind).or_default() += spent as f64 / elapsed * 100.0;
        }
        let audio = shares.remove("audio").unwrap_or_default();
        let total: f64 = shares.values().sum();
        let parts: Vec<String> = shares
            .iter()
            .filter(|(_, share)| **share >= 0.05)
            .map(|(name, share)| format!("{name} {share:.1} %"))
            .collect();
        println!("| {what} | {total:.1} % | {} | {audio:.1} % |", parts.join(", "));
        Ok(())
    }

    /// Runs blocks as an audio device asks for them.
    fn play(plugin: &mut Plugin, until: Instant, rolls: bool) -> Result<()> {
        plugin.play(
            Setup { sample_rate_hz: RATE_HZ, block: BLOCK },
            |_| {},
            |deck| {
                std::fs::write("/proc/thread-self/comm", "audio")?;
                deck.playing = rolls;
                let pause = Duration::from_secs_f64(f64::from(BLOCK) / f64::from(RATE_HZ));
                let mut next = Instant::now();
                while next < until {
                    deck.run(BLOCK)?;
                    // Round and round.
                    deck.position %= 4 * i64::from(RATE_HZ);
                    next += pause;
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                }
                Ok(())
            },
        )
    }

    /// A short take in two variations, rendered by the factory's model.
    fn render(plugin: &mut Plugin) -> Result<()> {
        let values = [("length", "2"), ("takes", "2"), ("render", "on")];
        let values = values.map(|(id, text)| plugin.value(id, text));
        plugin.play(
            Setup { sample_rate_hz: RATE_HZ, block: BLOCK },
            |_| {},
            |deck| {
                for value in values {
                    deck.set(0, value?);
                }
                // Until the service has seen what was asked for.
                (0..20).try_for_each(|_| {
                    std::thread::sleep(Duration::from_millis(10));
                    deck.run(BLOCK).map(drop)
                })
            },
        )?;
        let params = continuo::plugin::newest_params().context("no instance")?;
        let since = Instant::now();
        while params.session.snapshot().takes.is_empty() {
            ensure!(
                since.elapsed() < Duration::from_mins(5),
                "the render does not end: {:?}",
                params.session.snapshot().error
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    pub fn main() -> Result<()> {
        ensure!(std::env::var_os("CONTINUO_RESOURCES").is_some(), "CONTINUO_RESOURCES must name a folder with presets");
        let display = Display::start()?;
        let mut plugin = instance()?;
        let window = display.window()?;
        let rest = |plugin: &mut Plugin, until: Instant| {
            while Instant::now() < until {
                plugin.idle();
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        };
        println!("| while | a core | of which | blocks besides |\n|---|---|---|---|");
        measure("there is no window", |until| rest(&mut plugin, until))?;
        let (width, height) = plugin.show_editor(window)?;
        // What is measured ahead of a render is done by then.
        rest(&mut plugin, Instant::now() + Duration::from_secs(5))?;
        measure("nothing moves", |until| rest(&mut plugin, until))?;
        render(&mut plugin)?;
        rest(&mut plugin, Instant::now() + Duration::from_secs(2))?;
        measure("nothing moves, with a take", |until| rest(&mut plugin, until))?;
        measure("blocks run and nothing moves", |until| play(&mut plugin, until, false))?;
        // The pace is found in the first half second.
        play(&mut plugin, Instant::now() + Duration::from_secs(1), true)?;
        measure("the take plays", |until| play(&mut plugin, until, true))?;
        println!("\nThe window has {width} × {height} pixels and is drawn in software.");
        plugin.close_editor()
    }
}
