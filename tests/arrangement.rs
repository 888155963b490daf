//! Takes placed one after another in the song, in a CLAP host: what sounds where, bounces, and what a project keeps of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

mod common;

use common::host::{ClapId, Plugin, Setup};
use common::{Bundle, bits, finished_state, heard_of, place, placement, play, roll, saved, take, with_session};
use continuo::session::Repeat;

/// What happens at a frame of a bounce.
#[derive(Debug, Clone, Copy)]
enum Act {
    Set((ClapId, f64)),
    Tempo(f64),
    Go(i64),
}

/// Bounces `frames` frames from a position on in blocks of `block`. Tempo and place change between blocks, as hosts change them.
fn bounce(plugin: &mut Plugin, block: u32, acts: &[(usize, Act)], (position, frames): (i64, usize)) -> Vec<[f32; 2]> {
    plugin.set_offline().unwrap();
    plugin
        .play(
            Setup { sample_rate_hz: 48_000, block },
            |_| {},
            |deck| {
                (deck.playing, deck.position) = (true, position);
                let mut heard = Vec::new();
                while heard.len() < frames {
                    let start = heard.len();
                    let cuts = |(at, act): &&(usize, Act)| !matches!(act, Act::Set(_)) && *at > start;
                    let next = acts.iter().filter(cuts).map(|(at, _)| at - start).min().unwrap_or(usize::MAX);
                    let count = (frames - start).min(block as usize).min(next);
                    for (at, act) in acts.iter().filter(|(at, _)| (start..start + count).contains(at)) {
                        match *act {
                            Act::Set(value) => deck.set((at - start) as u32, value),
                            Act::Tempo(tempo) => deck.change_tempo(tempo),
                            Act::Go(position) => deck.position = position,
                        }
                    }
                    heard.extend(roll(deck, count, block)?);
                }
                Ok(heard)
            },
        )
        .unwrap()
}

/// An instance whose take (half a second of clip, a second of continuation, two variations) is placed in the song.
fn instrument(placements: &[continuo::session::SavedPlacement]) -> (std::sync::Arc<Bundle>, Plugin, Vec<u8>) {
    let (bundle, state) = finished_state();
    let state = place(&state, placements);
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state).unwrap());
    (bundle, plugin, state)
}

fn set(plugin: &mut Plugin, values: &[(usize, &str, &str)]) -> Vec<(usize, Act)> {
    values.iter().map(|(at, id, text)| (*at, Act::Set(plugin.value(id, text).unwrap()))).collect()
}

/// A bar of four quarter notes at 120.
const BAR: usize = 96_000;

#[test]
fn takes_sound_one_after_another_and_go_over_to_each_other() {
    let state = finished_state().1;
    // The second begins half a second before the first has ended, the third after a rest, twice.
    let row = [
        placement(&state, 0, 0.0, None, Repeat::Once),
        placement(&state, 1, 2.0, None, Repeat::Once),
        placement(&state, 0, 8.0, Some(1), Repeat::Times(2)),
    ];
    let (_bundle, mut plugin, state) = instrument(&row);
    let on = set(&mut plugin, &[(0, "arrangement", "on"), (0, "arrangement_crossfade", "100 ms")]);
    let heard = bounce(&mut plugin, 256, &on, (0, 5 * BAR));
    let [one, two] = [0, 1].map(|index| heard_of(&take(&state), 48_000, index, (true, true))[0].clone());
    assert!((0..48_000).all(|frame| heard[frame][0] == one[frame]), "up to the second one's beat");
    assert!((48_000 + 4_800..48_000 + 71_700).all(|frame| heard[frame][0] == two[frame - 48_000]));
    // Where both sound, with equal power.
    for frame in (0..4_800).step_by(100) {
        let part = (frame as f32 + 0.5) / 4_800.0 * std::f32::consts::FRAC_PI_2;
        let wanted = one[48_000 + frame] * part.cos() + two[frame] * part.sin();
        assert!((heard[48_000 + frame][0] - wanted).abs() < 1e-3, "frame {frame}");
    }
    assert!(heard[48_000 + 72_000..2 * BAR].iter().flatten().all(|value| *value == 0.0));
    for pass in 0..2 {
        let at = (2 + pass) * BAR;
        assert!((0..71_000).all(|frame| heard[at + frame][0] == one[frame]), "pass {pass}");
        assert!(heard[at + 72_000..at + BAR].iter().flatten().all(|value| *value == 0.0));
    }
    assert!(heard[4 * BAR..].iter().flatten().all(|value| *value == 0.0));
    // Switched off, the chosen take is what plays, as without an arrangement.
    let plain = bounce(&mut plugin, 256, &set(&mut finished().1, &[(0, "arrangement", "off")]), (0, 3 * BAR));
    let before = bounce(&mut finished().1, 256, &[], (0, 3 * BAR));
    assert_eq!(bits(&plain), bits(&before));
    assert!(
        (0..71_700).all(|frame| plain[frame][0] == one[frame])
            && plain[72_000..].iter().all(|frame| *frame == [0.0; 2])
    );
}

fn finished() -> (std::sync::Arc<Bundle>, Plugin) {
    let (bundle, state) = finished_state();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state).unwrap());
    (bundle, plugin)
}

/// Everything that there is, in bars 1 to 9.
fn song(state: &[u8]) -> Vec<continuo::session::SavedPlacement> {
    let mut quiet = placement(state, 1, 6.5, Some(1), Repeat::Times(2));
    quiet.gain_db = -4.5;
    vec![
        placement(state, 0, 1.0, None, Repeat::Once),
        placement(state, 1, 2.75, Some(1), Repeat::UntilNext),
        quiet,
        placement(state, 0, 12.0, None, Repeat::Times(3)),
        placement(state, 1, 15.0, None, Repeat::UntilNext),
        placement(state, 0, 24.0, Some(2), Repeat::Once),
        placement(state, 1, 33.0, None, Repeat::UntilNext),
    ]
}

#[test]
fn a_bounce_with_seeks_loops_and_changing_tempo_is_the_same_at_every_block_size() {
    let row = song(&finished_state().1);
    let mut first: Option<Vec<[u32; 2]>> = None;
    for block in [32, 64, 441, 1_024, 4_096] {
        let (_bundle, mut plugin, _) = instrument(&row);
        let mut acts = set(
            &mut plugin,
            &[
                (0, "arrangement", "on"),
                (0, "arrangement_crossfade", "80 ms"),
                (0, "at_end", "Fade out"),
                (0, "end_fade", "0.4 s"),
                (150_003, "loop_bars", "off"),
                (160_001, "at_end", "Loop from seam"),
                (190_000, "level_match", "off"),
                (230_017, "tempo_mode", "Stay in bars"),
                (300_001, "arrangement_crossfade", "400 ms"),
                (330_001, "arrangement", "off"),
                (340_007, "arrangement", "on"),
                (380_000, "play_seed", "off"),
                (390_001, "gain", "-6"),
            ],
        );
        for (at, tempo) in [(60_000, 97.0), (140_001, 133.7), (260_000, 71.0), (350_009, 180.0)] {
            acts.push((at, Act::Tempo(tempo)));
        }
        // A seek, and three rounds of the host's loop.
        for (at, to) in
            [(100_000, 380_000), (250_000, 130_000), (320_000, 130_000), (390_000, 130_000), (450_000, 700_000)]
        {
            acts.push((at, Act::Go(to)));
        }
        let heard = bounce(&mut plugin, block, &acts, (-500, 560_000));
        assert!(heard[520_000..].iter().any(|frame| frame[0] != 0.0));
        let heard = bits(&heard);
        let other = first.get_or_insert_with(|| heard.clone()).iter().zip(&heard).position(|(a, b)| a != b);
        assert_eq!(other, None, "blocks of {block}");
    }
}

#[test]
fn where_the_host_goes_to_is_where_it_would_have_come() {
    let (_bundle, mut plugin, _) = instrument(&song(&finished_state().1));
    let on = set(&mut plugin, &[(0, "arrangement", "on")]);
    let whole = bounce(&mut plugin, 512, &on, (0, 9 * BAR));
    for to in [30_000, 66_500, 120_000, 289_000, 360_700, 500_000, 798_000] {
        let there = bounce(&mut plugin, 512, &on, (to, 40_000));
        // Against a click, what begins in the middle of a sound fades in over 5 ms.
        let same = (240..40_000).all(|frame| (there[frame][0] - whole[to as usize + frame][0]).abs() < 1e-5);
        assert!(same, "from {to} on");
    }
}

#[test]
fn a_project_opens_saves_and_bounces_the_same_and_at_another_rate() {
    let (bundle, mut plugin, state) = instrument(&song(&finished_state().1));
    let on = set(&mut plugin, &[(0, "arrangement", "on")]);
    let heard = bounce(&mut plugin, 512, &on, (0, 9 * BAR));
    let again = plugin.save().unwrap();
    assert_eq!(saved(&again).arrangement, saved(&state).arrangement);
    let mut other = bundle.load();
    assert!(other.restore(&again).unwrap());
    // The switch is among the parameters.
    assert_eq!(bits(&bounce(&mut other, 441, &[], (0, 9 * BAR))), bits(&heard));
    // At another rate the same song sounds.
    let slow = play(&mut other, 44_100, 512, &[], 0, 44_100 * 4, false);
    let energy =
        |heard: &[[f32; 2]]| heard.iter().map(|frame| f64::from(frame[0]).powi(2)).sum::<f64>() / heard.len() as f64;
    let (one, two) = (energy(&slow), energy(&heard[..4 * 48_000]));
    assert!((one / two - 1.0).abs() < 0.05, "{one}, {two}");
    // One that is opened after it has none of it.
    assert!(other.restore(&finished_state().1).unwrap());
    assert!(saved(&other.save().unwrap()).arrangement.is_empty());
}

#[test]
fn a_placement_whose_take_is_gone_is_silent_and_stays_in_the_project() {
    let state = finished_state().1;
    let mut lost = placement(&state, 0, 0.0, Some(1), Repeat::Once);
    lost.take = "0".repeat(64);
    let (_bundle, mut plugin, state) = instrument(&[lost, placement(&state, 1, 4.0, Some(1), Repeat::Once)]);
    let on = set(&mut plugin, &[(0, "arrangement", "on")]);
    let heard = bounce(&mut plugin, 512, &on, (0, 2 * BAR));
    assert!(heard[..BAR].iter().all(|frame| *frame == [0.0; 2]) && heard[BAR..].iter().any(|frame| *frame != [0.0; 2]));
    let kept = saved(&plugin.save().unwrap()).arrangement;
    assert_eq!(kept.len(), saved(&state).arrangement.len());
    assert!(kept.iter().any(|placement| placement.take == "0".repeat(64)));
}

#[test]
fn a_saved_arrangement_opens_as_it_was() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/states/5/arrangement.state");
    let golden = std::fs::read(path).unwrap();
    let bundle = Bundle::new();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&golden).unwrap());
    let again = saved(&plugin.save().unwrap());
    let placed = |placement: &continuo::session::SavedPlacement| {
        (placement.variation, placement.begin, placement.bars, placement.repeat, placement.gain_db)
    };
    let wanted = [(0, 0.0, None, Repeat::Once, 0.0), (1, 4.0, Some(1), Repeat::Times(2), -3.0)];
    assert_eq!(again.arrangement.iter().map(placed).collect::<Vec<_>>(), wanted);
    // The second variation, quieter, a bar after the first, and once more a bar later: in bars at the tempo it was made at.
    let made = take(&golden);
    let plain = [("tempo_mode", "Keep length"), ("gain", "0"), ("playback", "Timeline")];
    let heard = play(&mut plugin, 48_000, 512, &plain, 0, 3 * BAR, false);
    let [one, two] = [0, 1].map(|index| common::sound(&made, 48_000, index, true)[0].clone());
    let factor = 10_f32.powf(-3.0 / 20.0);
    let near = |heard: f32, wanted: f32| (heard - wanted).abs() < 1e-4;
    let length = one.len().min(BAR) - 1_000;
    assert!((1_000..length).all(|frame| near(heard[frame][0], one[frame])));
    assert!((6_000..length).all(|frame| near(heard[BAR + frame][0], two[frame] * factor)));
    // Again from the seam on, as At end says: the clip is half a second long.
    let again = |frame: usize| two[24_000 + frame] * factor;
    assert!((1_000..two.len() - 25_000).all(|frame| near(heard[2 * BAR + frame][0], again(frame))));
}

#[test]
fn an_old_project_has_no_arrangement_and_sounds_as_it_did() {
    for file in ["1a/inline.state", "2/inline.state", "3/takes.state", "4/song.state"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/states").join(file);
        let golden = std::fs::read(&path).unwrap();
        let bundle = Bundle::new();
        let mut plugin = bundle.load();
        assert!(plugin.restore(&golden).unwrap());
        let heard = bounce(&mut plugin, 512, &[], (0, 2 * BAR));
        // With an arrangement that is not switched on it is the same.
        let id = saved(&golden);
        let placed = with_session(&golden, |session| {
            let name = &id.take.as_ref().unwrap().variations[0].sha256;
            let mut placement = placement(&finished_state().1, 0, 0.0, None, Repeat::UntilNext);
            placement.take.clone_from(name);
            session.arrangement.push(placement);
        });
        assert!(plugin.restore(&placed).unwrap());
        assert_eq!(saved(&plugin.save().unwrap()).arrangement.len(), 1);
        assert_eq!(bits(&bounce(&mut plugin, 512, &[], (0, 2 * BAR))), bits(&heard), "{file}");
    }
}
