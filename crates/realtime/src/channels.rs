//! What MIDI's channels say of their notes: wheels, pedals, how far a wheel bends (RPN 0), and which channels belong together (the
//! zones of MIDI Polyphonic Expression, RPN 6).
//!
//! In a zone each note has a member channel of its own, and what the zone's master channel says is said to all of them. Numbers of
//! channels are 0..=15 here; MIDI's own begin at 1.

/// Channels of MIDI.
pub(crate) const CHANNELS: usize = 16;

/// Semitones of a whole bend on a zone's member channels, until something else is said.
const MEMBERS_RANGE: Range = Range { semitones: 48, cents: 0 };

/// The numbers by which a channel says that data is meant for no parameter.
const NO_PARAMETER: [u8; 2] = [127, 127];
const BEND_RANGE: [u8; 2] = [0, 0];
const ZONE: [u8; 2] = [0, 6];

/// Controllers that choose a parameter and set it.
const DATA: u8 = 6;
const DATA_FINE: u8 = 38;
const OTHER_PARAMETER_FINE: u8 = 98;
const OTHER_PARAMETER: u8 = 99;
const PARAMETER_FINE: u8 = 100;
const PARAMETER: u8 = 101;

/// Some of the channels: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group(u16);

impl Group {
    pub(crate) const ALL: Self = Self(u16::MAX);

    fn one(channel: usize) -> Self {
        Self(1 << channel)
    }

    pub(crate) fn has(self, channel: usize) -> bool {
        self.0 >> channel & 1 == 1
    }
}

/// How far a whole turn of the wheel bends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    semitones: u8,
    cents: u8,
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    /// -1 to 1.
    bend: f32,
    pedal: bool,
    /// What RPN 0 has said; otherwise it is the user's.
    range: Option<Range>,
    /// The parameter that data is meant for.
    parameter: [u8; 2],
}

impl Channel {
    const FRESH: Self = Self { bend: 0.0, pedal: false, range: None, parameter: NO_PARAMETER };
}

/// What came of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing that is heard.
    Nothing,
    /// These channels' notes may have another pitch.
    Bent(Group),
    /// These channels' controllers are back where they rest; the notes of the second ones end.
    Zoned(Group, Group),
}

/// All channels and the two zones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channels {
    channels: [Channel; CHANNELS],
    /// Member channels of the lower zone, which count up from its master (0), and of the upper one, which count down from its
    /// master (15). A zone without members is none.
    members: [usize; 2],
}

impl Channels {
    pub(crate) const fn new() -> Self {
        Self { channels: [Channel::FRESH; CHANNELS], members: [0; 2] }
    }

    /// Wheels and pedals at rest. What was set up, ranges and zones, stays.
    pub(crate) fn at_rest(self) -> Self {
        let mut all = self;
        all.rest(Group::ALL);
        all
    }

    /// A channel's wheel, -1 to 1.
    pub(crate) fn bend(&mut self, channel: usize, value: f32) {
        self.channels[channel].bend = value;
    }

    /// Moves a channel's pedal; whether it was elsewhere.
    pub(crate) fn pedal(&mut self, channel: usize, down: bool) -> bool {
        core::mem::replace(&mut self.channels[channel].pedal, down) != down
    }

    /// Whether a pedal holds a channel's notes: its own, or its zone's.
    pub(crate) fn holds(&self, channel: usize) -> bool {
        self.channels[channel].pedal || self.master(channel).is_some_and(|master| self.channels[master].pedal)
    }

    /// By how many semitones a channel's notes are bent, by its own wheel and its zone's; `range` is the user's, in semitones.
    pub(crate) fn semitones(&self, channel: usize, range: f32) -> f64 {
        let bent = |channel: usize| {
            let Channel { bend, range: own, .. } = self.channels[channel];
            let range =
                own.map_or(f64::from(range), |range| f64::from(range.semitones) + f64::from(range.cents) / 100.0);
            f64::from(bend) * range
        };
        match self.master(channel) {
            Some(master) => bent(channel) + bent(master),
            None => bent(channel),
        }
    }

    /// The channels to which it is said what a channel says: its own, or all of the zone whose master it is.
    pub(crate) fn hears(&self, channel: usize) -> Group {
        (0..CHANNELS)
            .filter(|other| self.master(*other) == Some(channel))
            .fold(Group::one(channel), |all, member| Group(all.0 | 1 << member))
    }

    /// Puts wheels and pedals back, and lets data be meant for no parameter.
    pub(crate) fn rest(&mut self, channels: Group) {
        for (_, channel) in self.channels.iter_mut().enumerate().filter(|(at, _)| channels.has(*at)) {
            *channel = Channel { range: channel.range, ..Channel::FRESH };
        }
    }

    /// The user's range holds again where no zone is.
    pub(crate) fn forget_ranges(&mut self) {
        for channel in 0..CHANNELS {
            if self.master(channel).is_none() {
                self.channels[channel].range = None;
            }
        }
    }

    /// A controller of a channel says `value`, 0..=127.
    pub(crate) fn control(&mut self, channel: usize, controller: u8, value: u8) -> Outcome {
        let parameter = &mut self.channels[channel].parameter;
        match controller {
            PARAMETER => parameter[0] = value,
            PARAMETER_FINE => parameter[1] = value,
            // Whatever others there are, none of them is heeded.
            OTHER_PARAMETER | OTHER_PARAMETER_FINE => *parameter = NO_PARAMETER,
            DATA if *parameter == BEND_RANGE => {
                return self.set_range(channel, |_| Range { semitones: value, cents: 0 });
            }
            DATA_FINE if *parameter == BEND_RANGE => {
                let cents = value.min(99);
                return self.set_range(channel, |before| Range { cents, ..before });
            }
            DATA if *parameter == ZONE => return self.set_zone(channel, usize::from(value)),
            _ => {}
        }
        Outcome::Nothing
    }

    /// What one member channel says of its range holds for all of its zone.
    fn set_range(&mut self, channel: usize, range: impl Fn(Range) -> Range) -> Outcome {
        // The part that a host has not said yet is MIDI's own default.
        let before = self.channels[channel].range.unwrap_or(Range { semitones: 2, cents: 0 });
        let range = Some(range(before));
        let master = self.master(channel);
        for other in 0..CHANNELS {
            if other == channel || master.is_some() && self.master(other) == master {
                self.channels[other].range = range;
            }
        }
        Outcome::Bent(master.map_or_else(|| self.hears(channel), |master| self.hears(master)))
    }

    /// Gives a zone `count` members. What it takes of the other zone, that one has no more.
    fn set_zone(&mut self, master: usize, count: usize) -> Outcome {
        let zone = match master {
            0 => 0,
            15 => 1,
            _ => return Outcome::Nothing,
        };
        let before = *self;
        let count = count.min(CHANNELS - 1);
        self.members[zone] = count;
        // Between both masters there is room for fourteen.
        let other = &mut self.members[1 - zone];
        *other = (*other).min((CHANNELS - 2).saturating_sub(count));
        let roles = |all: &Self, channel: usize| (all.master(channel), all.hears(channel) != Group::one(channel));
        let (mut rested, mut changed) = (self.hears(master).0 | before.hears(master).0, 0);
        for channel in 0..CHANNELS {
            if roles(self, channel) != roles(&before, channel) {
                changed |= 1 << channel;
            }
        }
        rested |= changed;
        for channel in (0..CHANNELS).filter(|channel| Group(rested).has(*channel)) {
            self.channels[channel].range = self.master(channel).map(|_| MEMBERS_RANGE);
        }
        // The sender goes on with the parameter that it has chosen.
        let parameter = self.channels[master].parameter;
        self.rest(Group(rested));
        self.channels[master].parameter = parameter;
        Outcome::Zoned(Group(rested), Group(changed))
    }

    /// The master of the zone of which a channel is a member.
    fn master(&self, channel: usize) -> Option<usize> {
        let [lower, upper] = self.members;
        if channel >= 1 && channel <= lower {
            Some(0)
        } else if channel < 15 && channel + upper >= 15 {
            Some(15)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
