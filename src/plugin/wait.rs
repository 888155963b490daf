//! Waiting for frames, which an offline host has time for and a real-time one never.

use std::sync::Arc;
use std::time::Duration;

use continuo_realtime::Source;
use nice_plug::prelude::PluginApi;

use super::vst3::BlockMode;
use crate::session::AudioLink;
use crate::take::play::PlayTake;

/// How long to sleep between two looks.
const NAP: Duration = Duration::from_millis(1);

/// Whether blocks may wait.
#[derive(Debug, Clone)]
pub(super) enum Policy {
    /// The host runs in real time.
    Never,
    /// The host renders offline.
    Always,
    /// The host says so with each block.
    ByBlock(Arc<BlockMode>),
}

impl Policy {
    /// `offline` is what the framework reports on activation. It is right for CLAP, whose hosts reactivate to change it; for
    /// VST3 it is out of date, and `vst3` tells the block's own mode.
    pub(super) fn new(api: PluginApi, offline: bool, vst3: Option<&Arc<BlockMode>>) -> Self {
        match (api, vst3) {
            (PluginApi::Clap, _) if offline => Self::Always,
            (PluginApi::Vst3, Some(mode)) => Self::ByBlock(Arc::clone(mode)),
            _ => Self::Never,
        }
    }

    pub(super) fn in_this_block(&self) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::ByBlock(mode) => mode.is_offline(),
        }
    }
}

/// Sleeps a moment if a render is under way whose take has not arrived yet; `false` when there is nothing to wait for.
pub(super) fn for_take(link: &AudioLink, current: Option<&PlayTake>) -> bool {
    let arrived = current.is_some_and(|take| !take.is_complete());
    let wait = link.rendering() && (!arrived || link.cancelling());
    if wait {
        std::thread::sleep(NAP);
    }
    wait
}

/// Sleeps a moment if the arrangement is being changed; `false` when there is nothing to wait for.
pub(super) fn for_arrangement(link: &AudioLink) -> bool {
    let wait = link.arranging();
    if wait {
        std::thread::sleep(NAP);
    }
    wait
}

/// Sleeps until `take` has its frames up to `end`, or will never have them.
pub(super) fn for_frames(take: &PlayTake, source: Source, end: i64) {
    let seed_frames = take.seed_frames();
    let first = if source.with_seed { 0 } else { seed_frames as i64 };
    let end = first.saturating_add(end).clamp(0, (seed_frames + take.frames()) as i64) as usize;
    while take.ready(usize::from(source.variation), source.matched) < end && !take.is_complete() {
        std::thread::sleep(NAP);
    }
}
