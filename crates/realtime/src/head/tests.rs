use proptest::prelude::*;

use super::*;
use crate::envelope::Envelope;

const FADES: Fades = Fades { declick: 12, release: 60 };
const SOURCE: Source = Source { slot: 0, variation: 0, with_seed: false, matched: false };

/// A head in some state, and the end of what it can read.
fn head() -> impl Strategy<Value = (Head, i64)> {
    let envelope = (0..40_u32, 12..60_u32, 0.0..1.0_f32);
    let end = prop::option::of((0..200_i64, 1..30_u32));
    let fades = (prop::option::of(1..40_u32), prop::option::of((0..20_u32, 20..50_u32)), 0..3_u8);
    let played = (0..60_usize, any::<bool>(), -12.0..24.0_f64);
    (envelope, end, fades, played, 0..300_i64).prop_map(|(envelope, stop, fades, played, end)| {
        let ((attack, decay, sustain), (close, evenly, which), (before, soft, semitones)) = (envelope, fades, played);
        let pitch = if which == 0 { Pitch::PLAIN } else { Pitch::at(semitones) };
        let contour = Contour::new(Envelope { attack, decay, sustain });
        let mut head = Head::new(SOURCE, 3, 0.7, soft, FADES).shaped(pitch, contour);
        head.end = stop;
        for frame in 0..before {
            if frame == 20 {
                head.heard = true;
                head.set_sides([0.3, 1.2]);
            }
            head.gains(FADES.declick, FADES);
        }
        match (close, evenly) {
            (Some(frames), _) => head.close(frames),
            (None, Some((done, whole))) if which == 1 => head.close_evenly(done, whole),
            (None, Some((done, whole))) => head.open_evenly(done, whole),
            (None, None) => {}
        }
        (head, end)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn many_frames_at_once_have_the_gains_of_one_after_another((head, end) in head(), count in 1..=CHUNK) {
        let (mut at_once, mut one_by_one) = (head, head);
        if let Some(gains) = at_once.run(count, end, FADES) {
            at_once.position += at_once.pitch.run(count);
            for (left, right) in gains[0].iter().zip(&gains[1]).take(count) {
                let readable = one_by_one.readable(end - one_by_one.position, FADES);
                let wanted = one_by_one.gains(readable, FADES).unwrap();
                prop_assert_eq!([left.to_bits(), right.to_bits()], wanted.map(f32::to_bits));
                one_by_one.position += one_by_one.pitch.advance();
            }
            prop_assert_eq!(std::format!("{at_once:?}"), std::format!("{one_by_one:?}"));
        } else {
            prop_assert_eq!(std::format!("{at_once:?}"), std::format!("{head:?}"));
        }
    }
}

#[test]
fn a_sound_that_goes_on_is_read_many_frames_at_once() {
    let mut plain = Head::new(SOURCE, 0, 0.7, false, FADES);
    assert!(plain.run(CHUNK, 44, FADES).is_some() && plain.run(CHUNK, 42, FADES).is_none());
    // Also on its way out, and while its level moves.
    plain.close(50);
    let mut moving = Head::new(SOURCE, 0, 0.7, false, FADES)
        .shaped(Pitch::at(7.0), Contour::new(Envelope { attack: 90, decay: 90, sustain: 0.0 }));
    assert!(plain.run(CHUNK, 90, FADES).is_some() && moving.run(CHUNK, 90, FADES).is_some());
}
