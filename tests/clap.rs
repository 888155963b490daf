//! The built plugin in a CLAP host.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp, clippy::ignored_unit_patterns)]

mod common;

use common::{Bundle, bits, finished_state, play, render, roll, saved, sound, take, wait_for_take, with_session};
use continuo::session::Look;

/// Frames over which playback fades against clicks, and the take's end.
fn declick(rate_hz: u32) -> usize {
    rate_hz as usize / 200
}

#[test]
fn a_phrase_pinned_to_bar_two_starts_on_that_very_frame_at_every_rate_and_block_size() {
    let (bundle, state) = finished_state();
    let take = take(&state);
    for rate_hz in [44_100, 48_000, 96_000] {
        let [left, right] = sound(&take, rate_hz, 0, true);
        let pin = 2 * rate_hz as usize;
        let plain = left.len() - declick(rate_hz);
        let mut first: Option<Vec<[u32; 2]>> = None;
        for block in [32, 37, 64, 256, 1_000, 1_024, 4_096] {
            let mut plugin = bundle.load();
            assert!(plugin.restore(&state).unwrap());
            let frames = pin + left.len() + 1_000;
            let heard = play(&mut plugin, rate_hz, block, &[("start", "2")], 0, frames, false);
            assert!(heard[..pin].iter().flatten().all(|value| *value == 0.0), "{rate_hz} Hz, blocks of {block}");
            for (frame, heard) in heard[pin..pin + plain].iter().enumerate() {
                assert_eq!(*heard, [left[frame], right[frame]], "frame {frame}, {rate_hz} Hz, blocks of {block}");
            }
            assert!(heard[pin + left.len()..].iter().flatten().all(|value| *value == 0.0));
            let heard = bits(&heard);
            assert!(*first.get_or_insert_with(|| heard.clone()) == heard, "{rate_hz} Hz, blocks of {block}");
        }
    }
}

#[test]
fn the_pin_keeps_its_bar_at_any_tempo_and_in_a_pre_roll() {
    let (bundle, state) = finished_state();
    let [left, _] = sound(&take(&state), 48_000, 0, true);
    for (tempo, position, bar) in [(97.3, 0, 2.0), (61.0, -30_000, 1.0), (180.0, 0, 1.5), (240.0, -7, 3.25)] {
        let mut plugin = bundle.load();
        assert!(plugin.restore(&state).unwrap());
        let start = plugin.value("start", &format!("{bar}")).unwrap();
        let pin = ((bar - 1.0) * 4.0 * 60.0 / tempo * 48_000.0_f64).round() as i64;
        let frames = (pin - position) as usize + 2_000;
        let setup = common::host::Setup { sample_rate_hz: 48_000, block: 333 };
        let heard = plugin
            .play(
                setup,
                |_| {},
                move |deck| {
                    deck.set(0, start);
                    (deck.tempo, deck.position, deck.playing) = (tempo, position, true);
                    roll(deck, frames, 333)
                },
            )
            .unwrap();
        let at = (pin - position) as usize;
        assert!(heard[..at].iter().flatten().all(|value| *value == 0.0), "tempo {tempo}");
        for frame in 0..2_000 {
            assert_eq!(heard[at + frame][0], left[frame], "tempo {tempo}, frame {frame}");
        }
    }
}

#[test]
fn a_loop_and_a_seek_land_on_the_right_frame_without_a_click() {
    let (bundle, state) = finished_state();
    let [left, _] = sound(&take(&state), 48_000, 0, true);
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state).unwrap());
    let setup = common::host::Setup { sample_rate_hz: 48_000, block: 512 };
    let heard = plugin
        .play(
            setup,
            |_| {},
            |deck| {
                deck.playing = true;
                let mut heard = roll(deck, 5_120, 512)?;
                // Back as a loop goes, then far ahead, then a stop.
                deck.position = 1_000;
                heard.extend(roll(deck, 5_120, 512)?);
                deck.position = 40_000;
                heard.extend(roll(deck, 5_120, 512)?);
                deck.playing = false;
                heard.extend(roll(deck, 1_024, 512)?);
                Ok(heard)
            },
        )
        .unwrap();
    for frame in 0..5_120 {
        assert_eq!(heard[frame][0], left[frame]);
        if frame >= declick(48_000) {
            assert_eq!(heard[5_120 + frame][0], left[1_000 + frame]);
            assert_eq!(heard[10_240 + frame][0], left[40_000 + frame]);
        }
    }
    assert!(heard[15_360 + declick(48_000)..].iter().flatten().all(|value| *value == 0.0));
    // Nowhere a larger step than the take's own largest and what two fades over 5 ms add.
    let largest = left.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    for pair in heard.windows(2) {
        assert!((pair[1][0] - pair[0][0]).abs() <= 2.0 * largest + 0.01);
    }
}

#[test]
fn an_offline_host_hears_the_whole_take_while_it_is_being_rendered() {
    let (bundle, _) = finished_state();
    let values = [("length", "1.5"), ("takes", "3"), ("take", "2"), ("rng_seed", "11")];
    let (heard, state) = render(&bundle, &values, 2.5);
    let [left, right] = sound(&take(&state), 48_000, 1, true);
    assert_eq!(left.len(), 24_000 + 72_000);
    for frame in 0..left.len() - declick(48_000) {
        assert_eq!(heard[frame], [left[frame], right[frame]], "frame {frame}");
    }
    // The seed is in there as it was given, in 24-bit steps, up to where it goes over to what the model heard.
    for (frame, value) in common::seed_clip().channels[0].iter().enumerate().take(24_000 - declick(48_000)) {
        assert!((heard[frame][0] - value).abs() < 1.0 / 8_388_608.0);
    }
}

#[test]
fn a_session_plays_the_same_in_a_new_instance_without_model_and_seed() {
    let bundle = Bundle::new();
    let values = [("length", "1"), ("rng_seed", "3"), ("start", "1.25"), ("gain", "-6")];
    let (_, state) = render(&bundle, &values, 0.1);
    let listen = |state: &[u8]| {
        let mut plugin = bundle.load();
        assert!(plugin.restore(state).unwrap());
        let heard = play(&mut plugin, 44_100, 480, &[], 0, 100_000, false);
        (bits(&heard), plugin.save().unwrap())
    };
    let (before, _) = listen(&state);
    assert!(before.iter().any(|frame| frame[0] != 0));
    std::fs::remove_file(&bundle.model).unwrap();
    std::fs::remove_file(&bundle.seed).unwrap();
    let (after, again) = listen(&state);
    assert!(before == after);
    assert_eq!(saved(&again), saved(&state));
    // A model file that is gone is an error with a way out, and the take that was there stays.
    let (_, failed) = {
        let mut plugin = bundle.load();
        plugin.set_offline().unwrap();
        assert!(plugin.restore(&state).unwrap());
        let heard = play(&mut plugin, 44_100, 480, &[], 0, 4_410, true);
        (heard, plugin.save().unwrap())
    };
    assert_eq!(saved(&failed).take, saved(&state).take);
}

#[test]
fn a_duplicated_track_a_state_that_comes_early_or_late_and_a_reopened_project_sound_the_same() {
    let (bundle, state) = finished_state();
    let values = [("take", "2"), ("gain", "-3"), ("playback", "Timeline")];
    let listen = |plugin: &mut common::host::Plugin| bits(&play(plugin, 48_000, 256, &[], 0, 90_000, false));
    let mut first = bundle.load();
    assert!(first.restore(&state).unwrap());
    // A gain that is turned glides; what is compared is what it comes to.
    play(&mut first, 48_000, 256, &values, 0, 24_000, false);
    let wanted = listen(&mut first);
    assert!(wanted.iter().any(|frame| frame[0] != 0));
    // How the window looks is a part of the project, and of no sound.
    let look = Look { zoom: Some(1.25), window: Some((1_000.0, 700.0)), trim_view: Some((0.125, 0.25)) };
    let project = with_session(&first.save().unwrap(), |session| session.look = look);

    // A duplicate, beside the original: its state comes before it is activated for the first time.
    let mut duplicate = bundle.load();
    assert!(duplicate.restore(&project).unwrap());
    assert!(listen(&mut duplicate) == wanted);
    assert!(listen(&mut first) == wanted, "the original has nothing of its duplicate");
    // One that has played before, at another rate, when its state comes.
    let mut late = bundle.load();
    play(&mut late, 44_100, 512, &[], 0, 4_410, false);
    assert!(late.restore(&project).unwrap());
    assert!(listen(&mut late) == wanted);
    // And one whose host changes its rate and goes back.
    play(&mut late, 96_000, 64, &[], 0, 4_410, false);
    assert!(listen(&mut late) == wanted);
    // What each of them saves is the same project, and opens as such when all of them are gone.
    let again = [&mut duplicate, &mut late].map(|plugin| plugin.save().unwrap());
    drop((first, duplicate, late));
    for state in again {
        assert_eq!(saved(&state), saved(&project));
        assert_eq!(saved(&state).look, look);
        let mut reopened = bundle.load();
        assert!(reopened.restore(&state).unwrap());
        assert!(listen(&mut reopened) == wanted);
    }
}

#[test]
fn the_host_may_change_its_rate_between_and_during_renders() {
    let (bundle, state) = finished_state();
    let mut plugin = bundle.load();
    plugin.set_offline().unwrap();
    assert!(plugin.restore(&state).unwrap());
    for rate_hz in [96_000, 22_050, 48_000] {
        let heard = play(&mut plugin, rate_hz, 512, &[], 0, rate_hz as usize, false);
        let [left, _] = sound(&take(&state), rate_hz, 0, true);
        for frame in 0..rate_hz as usize {
            assert_eq!(heard[frame][0], left[frame], "{rate_hz} Hz, frame {frame}");
        }
    }
    // The render goes on while the host closes the audio device and opens it at another rate.
    let values = [("length", "3"), ("takes", "1"), ("rng_seed", "4")];
    play(&mut plugin, 48_000, 64, &values, 0, 64, true);
    let heard = play(&mut plugin, 44_100, 512, &[], 0, 44_100 * 3, false);
    let [left, _] = sound(&take(&wait_for_take(&mut plugin, |take| take.recipe.rng_seed == 4)), 44_100, 0, true);
    assert_eq!(left.len(), 22_050 + 3 * 44_100);
    for frame in 0..44_100 * 3 {
        assert_eq!(heard[frame][0], left[frame], "frame {frame}");
    }
}

/// Notes play the take as it is, and nothing else is heeded: as before there were the parameters for that.
fn plain_keys(plugin: &mut common::host::Plugin) -> Vec<(common::host::ClapId, f64)> {
    [("playback", "MIDI"), ("key_tracking", "off"), ("controllers", "off"), ("key_limiter", "off")]
        .map(|(id, text)| plugin.value(id, text).unwrap())
        .into()
}

#[test]
fn a_note_plays_the_take_from_its_start_at_its_frame_with_its_velocity() {
    let (bundle, state) = finished_state();
    let [left, _] = sound(&take(&state), 48_000, 0, true);
    let mut whole: Option<Vec<[u32; 2]>> = None;
    for block in [32_u32, 100, 512, 4_096] {
        let mut plugin = bundle.load();
        assert!(plugin.restore(&state).unwrap());
        let plain = plain_keys(&mut plugin);
        let setup = common::host::Setup { sample_rate_hz: 48_000, block };
        let heard = plugin
            .play(
                setup,
                |_| {},
                move |deck| {
                    for value in plain {
                        deck.set(0, value);
                    }
                    let mut heard = Vec::new();
                    while heard.len() < 30_000 {
                        let start = heard.len() as u32;
                        for (at, key, velocity) in
                            [(1_000, 60, 1.0), (5_000, 64, 0.5), (20_000, 60, 0.0), (21_000, 64, 0.0)]
                        {
                            if (start..start + block).contains(&at) {
                                if velocity > 0.0 {
                                    deck.note_on(at - start, key, velocity);
                                } else {
                                    deck.note_off(at - start, key);
                                }
                            }
                        }
                        heard.extend(roll(deck, block as usize, block)?);
                    }
                    heard.truncate(30_000);
                    Ok(heard)
                },
            )
            .unwrap();
        assert!(heard[..1_000].iter().flatten().all(|value| *value == 0.0));
        for frame in 0..19_000_usize {
            let second = frame.checked_sub(4_000).map_or(0.0, |frame| left[frame] * 0.5);
            assert_eq!(heard[1_000 + frame][0], left[frame] + second, "frame {frame}, blocks of {block}");
        }
        let end = 21_000 + 48_000 / 50 * 3;
        assert!(heard[end..].iter().flatten().all(|value| *value == 0.0));
        let heard = bits(&heard);
        assert!(*whole.get_or_insert_with(|| heard.clone()) == heard, "blocks of {block}");
    }
}

#[test]
fn cancel_brings_the_take_before_back() {
    let (bundle, state) = finished_state();
    let mut plugin = bundle.load();
    plugin.set_offline().unwrap();
    assert!(plugin.restore(&state).unwrap());
    let set = |plugin: &mut common::host::Plugin, id, text| plugin.value(id, text).unwrap();
    // Far more than could be done while this runs.
    let long = [set(&mut plugin, "length", "120"), set(&mut plugin, "takes", "8"), set(&mut plugin, "render", "on")];
    let cancel = set(&mut plugin, "cancel", "on");
    let setup = common::host::Setup { sample_rate_hz: 48_000, block: 512 };
    let heard = plugin
        .play(
            setup,
            |_| {},
            move |deck| {
                for event in long {
                    deck.set(0, event);
                }
                deck.playing = false;
                roll(deck, 512, 512)?;
                deck.set(0, cancel);
                roll(deck, 512, 512)?;
                // An offline host waits here until the cancelled render has ended.
                (deck.playing, deck.position) = (true, 0);
                roll(deck, 20_000, 512)
            },
        )
        .unwrap();
    let [left, _] = sound(&take(&state), 48_000, 0, true);
    for frame in declick(48_000)..20_000 {
        assert_eq!(heard[frame][0], left[frame], "frame {frame}");
    }
    assert_eq!(saved(&plugin.save().unwrap()).take, saved(&state).take);
}

#[test]
fn a_session_restored_during_a_render_takes_its_place() {
    let (bundle, state) = finished_state();
    let mut plugin = bundle.load();
    plugin.set_offline().unwrap();
    // Far more than could be done while this runs; the first block waits until it has begun.
    play(&mut plugin, 48_000, 512, &[("length", "120"), ("takes", "8"), ("play_seed", "off")], 0, 512, true);
    assert!(plugin.restore(&state).unwrap());
    let heard = play(&mut plugin, 48_000, 512, &[("render", "off")], 0, 20_000, false);
    let [left, _] = sound(&take(&state), 48_000, 0, true);
    for frame in 0..20_000 {
        assert_eq!(heard[frame][0], left[frame], "frame {frame}");
    }
    assert_eq!(saved(&plugin.save().unwrap()).take, saved(&state).take);
}

#[test]
fn a_host_hears_that_a_render_has_changed_its_project_though_no_editor_is_open() {
    let (bundle, state) = finished_state();
    let mut plugin = bundle.load();
    plugin.set_offline().unwrap();
    assert!(plugin.restore(&state).unwrap());
    play(&mut plugin, 48_000, 512, &[], 0, 4_800, false);
    assert_eq!(plugin.changes(), 0, "nothing was changed but by the host");
    let wanted = |rng_seed: u64| move |take: &continuo::take::Take| take.recipe.rng_seed == rng_seed;
    for (rng_seed, changes) in [(21, 1), (22, 2)] {
        let text = rng_seed.to_string();
        play(&mut plugin, 48_000, 512, &[("length", "0.5"), ("rng_seed", &text)], 0, 512, true);
        wait_for_take(&mut plugin, wanted(rng_seed));
        // The take is on the bench a moment before the host is told.
        let told = (0..1_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            plugin.changes() == changes
        });
        assert!(told, "{} changes after {changes} renders", plugin.changes());
    }
}

#[test]
fn a_restored_render_switch_renders_nothing() {
    let (bundle, _) = finished_state();
    // `render` was left on when this was saved.
    let (_, state) = render(&bundle, &[("length", "0.5"), ("rng_seed", "8")], 0.1);
    let mut plugin = bundle.load();
    plugin.set_offline().unwrap();
    let empty = with_session(&state, |session| session.take = None);
    assert!(plugin.restore(&empty).unwrap());
    let heard = play(&mut plugin, 48_000, 512, &[], 0, 24_000, false);
    assert!(heard.iter().flatten().all(|value| *value == 0.0));
    assert_eq!(saved(&plugin.save().unwrap()).take, None);
}

#[test]
fn damaged_states_and_models_leave_the_host_alive() {
    let bundle = Bundle::new();
    let (_, state) = render(&bundle, &[("length", "0.5")], 0.1);
    let mut plugin = bundle.load();
    plugin.set_offline().unwrap();
    for damaged in [&state[..20], &b"nonsense"[..], &[0xff; 64]] {
        plugin.restore(damaged).unwrap();
    }
    // A take whose sound is damaged, or not on this machine, is kept as it is for the next save.
    let lost = with_session(&state, |session| {
        let take = std::sync::Arc::make_mut(session.take.as_mut().unwrap());
        take.variations[0].inline = None;
    });
    assert!(plugin.restore(&lost).unwrap());
    let heard = play(&mut plugin, 48_000, 512, &[], 0, 4_800, false);
    assert!(heard.iter().flatten().all(|value| *value == 0.0));
    assert_eq!(saved(&plugin.save().unwrap()), saved(&lost));
    // A truncated package and a text file: no take, and the next render with a whole package works.
    let whole = std::fs::read(&bundle.model).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"not a package"] {
        std::fs::write(&bundle.model, bytes).unwrap();
        let mut plugin = bundle.load();
        plugin.set_offline().unwrap();
        play(&mut plugin, 48_000, 512, &[("length", "0.5")], 0, 512, true);
        assert_eq!(saved(&plugin.save().unwrap()).take, None);
    }
    std::fs::write(&bundle.model, &whole).unwrap();
    let (_, again) = render(&bundle, &[("length", "0.5")], 0.1);
    assert_eq!(saved(&again).take, saved(&state).take);
}

#[test]
fn what_the_sidechain_hears_becomes_the_seed_clip() {
    let (bundle, _) = finished_state();
    let mut plugin = bundle.load();
    plugin.set_offline().unwrap();
    let mut value = |id, text| plugin.value(id, text).unwrap();
    let first = [value("seed_source", "Sidechain"), value("capture", "on"), value("length", "0.5")];
    let (off, go) = (value("capture", "off"), value("render", "on"));
    let setup = common::host::Setup { sample_rate_hz: 48_000, block: 300 };
    plugin
        .play(
            setup,
            |_| {},
            move |deck| {
                for event in first {
                    deck.set(0, event);
                }
                for block in 0..40 {
                    deck.feed(|frame| (block * 300 + frame) as f32 / 12_000.0);
                    deck.run(300)?;
                }
                deck.feed(|_| 0.9);
                deck.set(0, off);
                deck.set(0, go);
                deck.run(300)?;
                // The next block waits for the render.
                deck.playing = true;
                deck.run(300).map(drop)
            },
        )
        .unwrap();
    let state = wait_for_take(&mut plugin, |_| true);
    let seed = take(&state).seed.unwrap();
    assert_eq!(seed.sample_rate_hz, 48_000);
    let ramp: Vec<f32> = (0..12_000).map(|frame| frame as f32 / 12_000.0).collect();
    assert_eq!(seed.channels, [ramp.clone(), ramp]);
}

#[test]
fn one_pass_of_the_loop_becomes_the_seed_clip_to_the_frame() {
    let (bundle, _) = finished_state();
    for block in [64, 300, 441] {
        let mut plugin = bundle.load();
        plugin.set_offline().unwrap();
        let mut value = |id, text| plugin.value(id, text).unwrap();
        let first = [
            value("seed_source", "Sidechain"),
            value("capture_loop", "on"),
            value("capture", "on"),
            value("length", "0.5"),
        ];
        let go = value("render", "on");
        let setup = common::host::Setup { sample_rate_hz: 48_000, block };
        plugin
            .play(
                setup,
                |_| {},
                move |deck| {
                    for event in first {
                        deck.set(0, event);
                    }
                    // From the second beat to the third: 24 000 frames at 120 BPM. The transport begins before.
                    deck.cycle = Some((1.0, 2.0));
                    deck.playing = true;
                    for _ in 0..60_000 / block {
                        let left = 48_000 - deck.position;
                        let frames = i64::from(block).min(left);
                        let from = deck.position;
                        deck.feed(|frame| (from + frame as i64) as f32 / 48_000.0);
                        deck.run(frames as u32)?;
                    }
                    deck.cycle = None;
                    deck.set(0, go);
                    deck.run(block)?;
                    // The next block waits for the render.
                    deck.run(block).map(drop)
                },
            )
            .unwrap();
        let seed = take(&wait_for_take(&mut plugin, |_| true)).seed.unwrap();
        let ramp: Vec<f32> = (24_000..48_000).map(|frame| frame as f32 / 48_000.0).collect();
        assert_eq!(seed.channels, [ramp.clone(), ramp], "blocks of {block}");
    }
}

#[test]
fn what_is_no_audio_in_the_sidechain_is_not_rendered_with() {
    let (bundle, _) = finished_state();
    for noise in [f32::NAN, f32::INFINITY, 1e6] {
        let mut plugin = bundle.load();
        plugin.set_offline().unwrap();
        let mut value = |id, text| plugin.value(id, text).unwrap();
        let first = [value("seed_source", "Sidechain"), value("capture", "on"), value("length", "0.5")];
        let (off, go) = (value("capture", "off"), value("render", "on"));
        let setup = common::host::Setup { sample_rate_hz: 48_000, block: 300 };
        let heard = plugin
            .play(
                setup,
                |_| {},
                move |deck| {
                    for event in first {
                        deck.set(0, event);
                    }
                    for block in 0..40 {
                        deck.feed(|frame| if (block, frame) == (20, 7) { noise } else { 0.25 });
                        deck.run(300)?;
                    }
                    deck.set(0, off);
                    deck.set(0, go);
                    deck.run(300)?;
                    // The next block waits for the end of the request.
                    deck.playing = true;
                    roll(deck, 12_000, 300)
                },
            )
            .unwrap();
        assert!(heard.iter().flatten().all(|value| *value == 0.0), "{noise}");
        assert_eq!(saved(&plugin.save().unwrap()).take, None, "{noise}");
    }
}

/// Something that is done with the deck at a frame of its next block.
type Act = fn(&mut common::host::Deck, u32);

/// Plays the take with MIDI, as [`plain_keys`] do: `act` does something with the deck before each frame that it names.
fn with_midi(acts: &[(usize, Act)], frames: usize, block: u32) -> Vec<[f32; 2]> {
    let (bundle, state) = finished_state();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state).unwrap());
    let plain = plain_keys(&mut plugin);
    let setup = common::host::Setup { sample_rate_hz: 48_000, block };
    plugin
        .play(
            setup,
            |_| {},
            |deck| {
                for value in plain {
                    deck.set(0, value);
                }
                let mut heard = Vec::new();
                while heard.len() < frames {
                    let start = heard.len();
                    for (at, act) in acts.iter().filter(|(at, _)| (start..start + block as usize).contains(at)) {
                        act(deck, (at - start) as u32);
                    }
                    heard.extend(roll(deck, block as usize, block)?);
                }
                heard.truncate(frames);
                Ok(heard)
            },
        )
        .unwrap()
}

#[test]
fn a_key_that_is_pressed_again_ends_its_note_before() {
    let (_, state) = finished_state();
    let [left, _] = sound(&take(&state), 48_000, 0, true);
    for block in [64, 480] {
        let press: Act = |deck, at| deck.note_on(at, 60, 1.0);
        let presses: Vec<_> = (0..20).map(|press| press * 1_000).map(|at| (at, press)).collect();
        let heard = with_midi(&presses, 30_000, block);
        for (frame, value) in heard.iter().enumerate() {
            // Beside the note before, which has gone after 5 ms, there is the take from its start and nothing more.
            let since = if frame < 20_000 { frame % 1_000 } else { frame - 19_000 };
            if frame < 1_000 || since >= declick(48_000) {
                assert_eq!(value[0], left[since], "frame {frame}, blocks of {block}");
            }
        }
    }
}

#[test]
fn controllers_120_and_123_silence_their_channel_at_their_frame() {
    let (_, state) = finished_state();
    let [left, _] = sound(&take(&state), 48_000, 0, true);
    let fades: [(Act, usize); 2] = [
        (|deck, at| deck.midi(at, [0xb0, 120, 0]), declick(48_000)),
        (|deck, at| deck.midi(at, [0xb0, 123, 0]), 48_000 / 50 * 3),
    ];
    for (silence, fade) in fades {
        for block in [64, 1_000] {
            let acts: [(usize, Act); 4] = [
                (0, |deck, at| deck.note_on(at, 60, 1.0)),
                // Another channel's panic is no reason to stop; pedal and wheel are not heeded here.
                (3_000, |deck, at| deck.midi(at, [0xb1, 120, 0])),
                (4_000, |deck, at| {
                    deck.midi(at, [0xb0, 64, 127]);
                    deck.midi(at, [0xe0, 0, 127]);
                }),
                (9_001, silence),
            ];
            let heard = with_midi(&acts, 20_000, block);
            for frame in 0..=9_001 {
                assert_eq!(heard[frame][0], left[frame], "frame {frame}, blocks of {block}");
            }
            assert!((9_002..9_010).any(|frame| heard[frame][0] != left[frame]), "blocks of {block}");
            assert!(heard[9_001 + fade..].iter().flatten().all(|value| *value == 0.0), "blocks of {block}");
        }
    }
    // A release in MIDI's own bytes.
    let acts: [(usize, Act); 2] =
        [(0, |deck, at| deck.midi(at, [0x90, 60, 127])), (5_000, |deck, at| deck.midi(at, [0x90, 60, 0]))];
    let heard = with_midi(&acts, 20_000, 128);
    assert!(heard[4_000][0] == left[4_000] && heard[5_000 + 48_000 / 50 * 3..].iter().all(|frame| frame[0] == 0.0));
}

#[test]
fn rates_that_no_converter_has_are_refused_and_the_next_one_is_not() {
    let (bundle, state) = finished_state();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state).unwrap());
    for rate_hz in [0, 1, 999, 768_001, 1_000_000_000] {
        let setup = common::host::Setup { sample_rate_hz: rate_hz, block: 64 };
        assert!(plugin.play(setup, |_| {}, |deck| deck.run(64).map(drop)).is_err(), "{rate_hz} Hz");
    }
    let heard = play(&mut plugin, 48_000, 512, &[], 0, 4_800, false);
    let [left, _] = sound(&take(&state), 48_000, 0, true);
    assert!((0..4_800).all(|frame| heard[frame][0] == left[frame]));
}

#[test]
fn instances_share_one_renderer_and_their_takes_do_not_mix() {
    let (bundle, _) = finished_state();
    let states: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let renders: Vec<_> = (0..4)
            .map(|index| {
                let bundle = &bundle;
                scope.spawn(move || {
                    let rng_seed = format!("{}", 100 + index % 2);
                    render(bundle, &[("length", "0.5"), ("rng_seed", &rng_seed)], 0.6).1
                })
            })
            .collect();
        renders.into_iter().map(|render| render.join().unwrap()).collect()
    });
    let takes: Vec<_> = states.iter().map(|state| take(state)).collect();
    assert_eq!(takes[0], takes[2]);
    assert_eq!(takes[1], takes[3]);
    assert_ne!(takes[0].variations, takes[1].variations);
}
