//! Bars and beats.

/// What a host says about bars at the start of a block, in quarter notes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarClock {
    /// Quarter notes per bar by the present time signature.
    pub beats_per_bar: f64,
    /// Position in quarter notes, if it is known.
    pub beats: Option<f64>,
    /// Where the present bar starts in quarter notes, if it is known.
    pub bar_start: Option<f64>,
    /// The present bar's number; the song's first bar is 0.
    pub bar_number: Option<i32>,
}

/// The position in quarter notes of the pin `bars` bars after the song's start.
///
/// With one time signature throughout that is `bars` times its length. A host that names the present bar and where it
/// starts lets bars be counted from there, which is also right after changes of the signature; hosts that leave these
/// fields at zero are recognised by the position lying outside the bar they name, and are not believed.
pub fn pin_beats(clock: &BarClock, bars: f64) -> f64 {
    let from_start = bars * clock.beats_per_bar;
    let (Some(beats), Some(bar_start), Some(number)) = (clock.beats, clock.bar_start, clock.bar_number) else {
        return from_start;
    };
    let within = beats - bar_start;
    let believable = within > -1e-6 && within < clock.beats_per_bar + 1e-6;
    // Bar 0 starts at 0 whatever the signatures; a host that counts bars from 1 or not at all contradicts itself here.
    let counts = number != 0 || bar_start.abs() < 1e-9;
    if believable && counts { bar_start + (bars - f64::from(number)) * clock.beats_per_bar } else { from_start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_signature_needs_no_host_help() {
        let clock = BarClock { beats_per_bar: 3.0, beats: None, bar_start: None, bar_number: None };
        assert_eq!(pin_beats(&clock, 4.0), 12.0);
    }

    #[test]
    fn a_changed_signature_is_counted_from_the_present_bar() {
        // Four bars of 4/4, then 3/4: bar index 6 starts at 16 + 2·3.
        let clock = BarClock { beats_per_bar: 3.0, beats: Some(20.0), bar_start: Some(19.0), bar_number: Some(5) };
        assert_eq!(pin_beats(&clock, 6.0), 22.0);
    }

    #[test]
    fn hosts_that_leave_the_fields_at_zero_are_not_believed() {
        let clock = BarClock { beats_per_bar: 4.0, beats: Some(20.0), bar_start: Some(0.0), bar_number: Some(0) };
        assert_eq!(pin_beats(&clock, 6.0), 24.0);
        let clock = BarClock { beats_per_bar: 4.0, beats: Some(20.0), bar_start: Some(20.0), bar_number: Some(0) };
        assert_eq!(pin_beats(&clock, 6.0), 24.0);
    }
}
