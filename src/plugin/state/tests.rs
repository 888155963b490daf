use std::io::{Cursor, Read, Write};

use nice_plug::params::InternalParamMut as _;
use nice_plug::params::internals::ParamPtr;
use nice_plug::params::persist::PersistentField as _;
use nice_plug::plugin::ParamValue;
use nice_plug::prelude::Params as _;
use serde_json::{Value, json};

use super::error::MAX_BYTES;
use super::*;
use crate::session::SavedSession;
use crate::settings::{Mode, Playback};

/// Does to an instance what the framework does with a state.
fn place(params: &ContinuoParams, opened: &Opened) {
    let mut state = opened.state.clone();
    complete(&mut state);
    for (id, parameter, _) in params.param_map() {
        // SAFETY: the pointers point into `params`, which nobody else has.
        let placed = unsafe {
            match (parameter, &state.params[&id]) {
                (ParamPtr::FloatParam(float), ParamValue::F32(value)) => {
                    Some((*float)._internal_set_plain_value(*value))
                }
                (ParamPtr::IntParam(whole), ParamValue::I32(value)) => Some((*whole)._internal_set_plain_value(*value)),
                (ParamPtr::BoolParam(switch), ParamValue::Bool(on)) => Some((*switch)._internal_set_plain_value(*on)),
                (ParamPtr::EnumParam(choice), ParamValue::I32(at)) => Some((*choice)._internal_set_plain_value(*at)),
                (ParamPtr::EnumParam(choice), ParamValue::String(name)) => {
                    Some((*choice).set_from_id(name)).filter(|known| *known)
                }
                _ => None,
            }
        };
        assert!(placed.is_some(), "{id}: {:?}", state.params[&id]);
    }
    params.session.set(serde_json::from_str(&state.fields["session"]).unwrap());
    opened.settle(params);
}

fn received(bytes: &[u8]) -> Received {
    Received { bytes: bytes.to_vec(), bare: false, failure: None }
}

fn open(params: &ContinuoParams, state: &Value) -> bool {
    let opened = read(received(&zstd::encode_all(state.to_string().as_bytes(), 1).unwrap()));
    place(params, &opened);
    opened.known
}

fn own(params: &ContinuoParams) -> Value {
    match write(params).unwrap() {
        written @ Written::Own(_) => {
            let bytes: Vec<u8> = written.pieces().flatten().copied().collect();
            serde_json::from_slice(&zstd::decode_all(bytes.as_slice()).unwrap()).unwrap()
        }
        Written::Kept(_) => panic!("an own state was expected"),
    }
}

fn kept(params: &ContinuoParams) -> Vec<u8> {
    match write(params).unwrap() {
        Written::Kept(kept) => kept.bytes.to_vec(),
        Written::Own(_) => panic!("the kept state was expected"),
    }
}

fn error(params: &ContinuoParams) -> String {
    params.session.snapshot().error.map(|error| error.to_string()).unwrap_or_default()
}

/// A state with a take in it.
fn with_take() -> Value {
    let (packed, _) = crate::take::pack::pack(&crate::take::pack::tests::take(), u64::MAX, None);
    let session = json!({"model": "/m.continuo", "inline_limit": 1000, "take": packed});
    json!({"version": "0.1.0", "params": {"gain": {"f32": 0.5}, "mode": {"string": "unconditional"}},
        "fields": {"session": session.to_string()}})
}

#[test]
fn a_state_that_lacks_something_leaves_nothing_of_the_one_before() {
    let damaged_take = json!({"version": "0.1.0", "params": {}, "fields": {"session": "{\"take\":{\"recipe\":7}}"}});
    let no_json = json!({"params": {}, "fields": {"session": "{\"take\":"}});
    for state in
        [json!({}), json!({"params": {}, "fields": {}}), json!({"fields": {"session": "{}"}}), damaged_take, no_json]
    {
        let params = ContinuoParams::default();
        assert!(open(&params, &with_take()));
        assert!(params.session.snapshot().take.is_some() && params.gain.value() == 0.5);
        assert_eq!(params.mode.value(), Mode::Unconditional);
        assert!(open(&params, &state));
        assert!(params.session.snapshot().take.is_none(), "{state}");
        assert_eq!((params.gain.value(), params.mode.value()), (1.0, Mode::Continue));
        let session: Value = serde_json::from_str(own(&params)["fields"]["session"].as_str().unwrap()).unwrap();
        assert_eq!(session["model"], Value::Null, "{state}");
    }
}

#[test]
fn numbers_are_clamped_and_what_is_no_value_takes_the_default_and_survives() {
    let params = ContinuoParams::default();
    let state = json!({"params": {
        "gain": {"f32": 1e30}, "length": {"f32": -3.0}, "temperature": {"f32": 1e300}, "takes": {"i32": 2_000_000_000},
        "rng_seed": {"i32": -5}, "mode": {"i32": 9}, "playback": {"string": "tape"}, "seed_source": {"i32": 1},
        "play_seed": {"f32": 1.0}, "top_k": {"i32": 99_999_999_999_u64}, "warmth": {"f32": 0.25}, "start": null,
    }});
    assert!(open(&params, &state));
    assert_eq!(params.gain.value(), nice_plug::util::db_to_gain(12.0));
    assert_eq!((params.length.value(), params.temperature.value()), (0.5, 1.2));
    assert_eq!((params.variations.value(), params.rng_seed.value(), params.top_k.value()), (16, 0, 256));
    assert_eq!((params.mode.value(), params.playback.value()), (Mode::Continue, Playback::Timeline));
    assert_eq!(params.seed_source.value(), crate::settings::SeedSource::Sidechain);
    assert!(params.play_seed.value() && params.start.value() == 1.0);
    let saved = own(&params);
    for id in ["mode", "playback", "play_seed", "warmth", "start"] {
        assert_eq!(saved["params"][id], state["params"][id], "{id}");
    }
    // A parameter that was turned since is what it was turned to.
    // SAFETY: nobody else has this instance.
    unsafe { params.mode._internal_set_plain_value(Mode::Unconditional) };
    assert_eq!(own(&params)["params"]["mode"], json!({"string": "unconditional"}));
    assert_eq!(own(&params)["params"]["playback"], state["params"]["playback"]);
}

#[test]
fn a_state_from_before_keys_had_a_pitch_opens_as_it_sounded_and_a_new_instance_does_not() {
    let keys = |params: &ContinuoParams| {
        let keys = &params.keys;
        [keys.key_tracking.value(), keys.controllers.value(), keys.limiter.value()]
    };
    let params = ContinuoParams::default();
    assert_eq!(keys(&params), [true; 3]);
    assert!(open(&params, &with_take()));
    assert_eq!(keys(&params), [false; 3]);
    assert_eq!((params.keys.attack.value(), params.keys.sustain.value()), (0.0, 1.0));
    assert_eq!((params.keys.release.value(), params.keys.velocity_curve.value()), (60.0, 0.0));
    assert_eq!((params.keys.start_offset.value(), params.keys.voices.value()), (0.0, 16));
    assert!(!params.keys.mono.value());
    // What was saved is opened as it was saved, and nothing that is no state changes a new instance.
    // SAFETY: nobody else has this instance.
    unsafe { params.keys.key_tracking._internal_set_plain_value(true) };
    let saved = own(&params);
    assert_eq!(saved["params"]["controllers"], json!({"bool": false}));
    assert!(open(&params, &saved));
    assert_eq!(keys(&params), [true, false, false]);
    place(&params, &read(received(&[])));
    assert_eq!(keys(&params), [true; 3]);
    // A value that is none of the switch's is as good as none, and survives.
    let state = json!({"params": {"key_tracking": {"string": "quarter tones"}}});
    assert!(open(&params, &state));
    assert_eq!(keys(&params), [false; 3]);
    assert_eq!(own(&params)["params"]["key_tracking"], state["params"]["key_tracking"]);
}

#[test]
fn a_value_that_is_no_number_is_never_written() {
    let params = ContinuoParams::default();
    // SAFETY: nobody else has this instance.
    unsafe { params.gain._internal_set_plain_value(f32::NAN) };
    assert_eq!(own(&params)["params"]["gain"], json!({"f32": 1.0}));
}

#[test]
fn unknown_keys_survive_where_they_stood() {
    let params = ContinuoParams::default();
    let mut state = with_take();
    state["mood"] = json!({"deep": [1.5, null]});
    state["fields"]["knobs"] = "left".into();
    let mut session: Value = serde_json::from_str(state["fields"]["session"].as_str().unwrap()).unwrap();
    session["colour"] = "blue".into();
    session["take"]["recipe"]["settings"]["precision"] = "fp4".into();
    state["fields"]["session"] = session.to_string().into();
    for _ in 0..3 {
        assert!(open(&params, &state));
        assert!(params.session.snapshot().take.is_some(), "{}", error(&params));
        assert_eq!(error(&params), "");
        state = own(&params);
        assert_eq!(state["state_version"], json!(2));
        assert_eq!((&state["mood"], &state["fields"]["knobs"]), (&json!({"deep": [1.5, null]}), &json!("left")));
        let session: Value = serde_json::from_str(state["fields"]["session"].as_str().unwrap()).unwrap();
        assert_eq!((&session["colour"], session.get("kept")), (&json!("blue"), None));
        assert_eq!(session["take"]["recipe"]["settings"]["precision"], json!("fp4"));
    }
}

#[test]
fn a_newer_state_is_kept_byte_for_byte_until_something_is_changed_and_then_within() {
    let params = ContinuoParams::default();
    assert!(open(&params, &with_take()));
    let mut newer = with_take();
    newer["state_version"] = json!(99);
    let bytes = zstd::encode_all(newer.to_string().as_bytes(), 19).unwrap();
    let opened = read(received(&bytes));
    assert!(opened.known);
    place(&params, &opened);
    assert!(params.session.snapshot().take.is_none());
    assert!(error(&params).contains("version 99") && error(&params).contains("saved again"), "{}", error(&params));
    assert_eq!(kept(&params), bytes);
    // A turned knob is saved, and the state goes with it.
    // SAFETY: nobody else has this instance.
    unsafe { params.gain._internal_set_plain_value(0.25) };
    let saved = own(&params);
    assert_eq!(saved["params"]["gain"], json!({"f32": 0.25}));
    let again = ContinuoParams::default();
    assert!(open(&again, &saved));
    assert!(error(&again).contains("version 99"), "{}", error(&again));
    assert_eq!(own(&again), saved);
    // Whoever understands it opens it, as nothing was made around it.
    let mut session: Value = serde_json::from_str(saved["fields"]["session"].as_str().unwrap()).unwrap();
    let understood = zstd::encode_all(with_take().to_string().as_bytes(), 3).unwrap();
    session["kept"]["state"]["bytes"] =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, understood).into();
    let mut around = saved.clone();
    around["fields"]["session"] = session.to_string().into();
    assert!(open(&again, &around));
    assert!(again.session.snapshot().take.is_some() && again.gain.value() == 0.5);
    // Not in place of what was made meanwhile.
    session["model"] = "/chosen.continuo".into();
    around["fields"]["session"] = session.to_string().into();
    assert!(open(&again, &around));
    assert!(again.session.snapshot().take.is_none());
    assert_eq!(again.session.snapshot().model.name, "chosen.continuo");
    assert!(own(&again)["fields"]["session"].as_str().unwrap().contains("kept"));
}

#[test]
fn what_is_no_state_is_kept_told_and_refused() {
    let mut number = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (number >> 24) as u8
    })
    .take(1 << 20)
    .collect();
    let mut cut = zstd::encode_all(with_take().to_string().as_bytes(), 3).unwrap();
    cut.truncate(cut.len() / 2);
    for bytes in [noise.as_slice(), &cut, b"null", b"{\"params\": []}", b"{\"fields\": 7}", b"{\"a\": 1", &[0xff; 40]] {
        let params = ContinuoParams::default();
        assert!(open(&params, &with_take()));
        let opened = read(received(bytes));
        assert!(!opened.known);
        place(&params, &opened);
        assert!(params.session.snapshot().take.is_none());
        assert!(error(&params).contains("cannot be read"), "{}", error(&params));
        assert!(kept(&params) == bytes);
    }
    // Nothing is nothing to keep.
    let params = ContinuoParams::default();
    let opened = read(received(&[]));
    assert!(!opened.known);
    place(&params, &opened);
    assert_eq!((error(&params).as_str(), own(&params)["params"].is_object()), ("", true));
    // Unless the host has failed to give what there is.
    place(&params, &read(stream::read_all(Trickle { inner: Cursor::new([7; 9]), piece: 1, left: 0 })));
    assert!(error(&params).contains("broke off"), "{}", error(&params));
    assert!(own(&params)["params"].is_object());
}

/// Twelve gigabytes of blanks in a third of a megabyte: a zstd frame of blocks that repeat one byte.
fn bomb() -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    let blocks = (12_u64 << 30) >> 17;
    for block in 1..=blocks {
        let header = u32::from(block == blocks) | (1 << 1) | (1 << 17 << 3);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}

#[test]
fn a_state_that_unpacks_without_end_is_refused_and_kept() {
    let bomb = bomb();
    let opened = read(received(&bomb));
    let session: SavedSession = serde_json::from_str(&opened.state.fields["session"]).unwrap();
    let state = session.unread.kept.state.unwrap();
    assert!(state.why.contains("more than 512 MB"), "{}", state.why);
    assert!(*state.bytes == *bomb && !opened.known);
}

/// Gives at most `piece` bytes per call, and fails after `whole` of them.
struct Trickle<T> {
    inner: T,
    piece: usize,
    left: usize,
}

impl<T: Read> Read for Trickle<T> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return Err(std::io::Error::other("the disk is on fire"));
        }
        let asked = buffer.len().min(self.piece).min(self.left);
        let count = self.inner.read(&mut buffer[..asked])?;
        self.left -= count;
        Ok(count)
    }
}

impl<T: Write> Write for Trickle<T> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(&buffer[..buffer.len().min(self.piece).min(self.left)])?;
        self.left -= count;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn streams_move_as_little_as_they_like_and_a_failure_is_one() {
    let written = write(&ContinuoParams::default()).unwrap();
    let mut whole = Vec::new();
    stream::write_counted(&mut whole, &written).unwrap();
    for piece in [1, 23, 4096] {
        let trickle = |left| Trickle { inner: Cursor::new(whole.clone()), piece, left };
        let got = stream::read_counted(trickle(usize::MAX));
        assert!(got.failure.is_none() && !got.bare && got.bytes == whole[8..]);
        let got = stream::read_all(trickle(usize::MAX));
        assert!(got.failure.is_none() && got.bytes == whole);
        for left in [0, 1, 7, 8, whole.len() / 2, whole.len() - 1] {
            for got in [stream::read_counted(trickle(left)), stream::read_all(trickle(left))] {
                assert!(got.bytes == whole[..left], "{left} of {} bytes", whole.len());
                assert!(matches!(got.failure, Some(StateError::BrokenOff(_))), "{left}");
            }
            let mut target = Trickle { inner: Vec::new(), piece, left };
            assert!(stream::write_counted(&mut target, &written).is_err());
        }
        let mut target = Trickle { inner: Vec::new(), piece, left: usize::MAX };
        stream::write_counted(&mut target, &written).unwrap();
        assert!(target.inner == whole);
    }
}

#[test]
fn a_length_that_no_state_has_takes_no_memory_and_all_bytes_are_kept() {
    for length in [1_u64 << 36, 1 << 40, (1 << 63) - 1, u64::MAX, MAX_BYTES + 1] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(b"not so many");
        let got = stream::read_counted(bytes.as_slice());
        assert!(got.bare && got.bytes == bytes && matches!(got.failure, Some(StateError::Unreadable(_))));
        let params = ContinuoParams::default();
        place(&params, &read(got));
        let mut again = Vec::new();
        stream::write_counted(&mut again, &write(&params).unwrap()).unwrap();
        assert_eq!(again, bytes);
    }
    // A stream that ends early is no state either, and what came of it is kept as it came.
    let mut short = 100_u64.to_le_bytes().to_vec();
    short.extend([1; 50]);
    let got = stream::read_counted(short.as_slice());
    assert!(got.bare && got.bytes == short && matches!(got.failure, Some(StateError::Unreadable(_))));
}

/// The tests' take with long sounds, which hardly compress.
fn long_take() -> crate::take::Take {
    let mut number = 1_u32;
    let mut draw = |_| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from((number >> 24) as u8) / 128.0 - 1.0
    };
    let mut take = crate::take::pack::tests::take();
    take.recipe.frames = 60_000;
    for variation in &mut take.variations {
        std::sync::Arc::make_mut(variation).channels = vec![(0..60_000).map(&mut draw).collect()];
    }
    take
}

/// A state's bytes, one piece after the other.
fn pieces(written: &Written) -> Vec<&[u8]> {
    written.pieces().collect()
}

#[test]
fn long_sounds_are_written_once_and_any_reader_reads_them() {
    let take = long_take();
    let (packed, _) = crate::take::pack::pack(&take, u64::MAX, None);
    let session = json!({"mood": "blue", "take": packed});
    let state = json!({"knobs": [1.5], "params": {"gain": {"f32": 0.5}}, "fields": {"session": session.to_string()}});
    let params = ContinuoParams::default();
    assert!(open(&params, &state));
    let (first, second) = (write(&params).unwrap(), write(&params).unwrap());
    let (first, second) = (pieces(&first), pieces(&second));
    let is_long = |piece: &&&[u8]| piece.len() > 50_000;
    assert_eq!(first.iter().filter(is_long).count(), 2);
    for (one, other) in first.iter().zip(&second).filter(|(one, _)| is_long(one)) {
        assert!(std::ptr::eq(*one, *other), "a sound was written anew");
    }
    let bytes = first.concat();
    assert!(second.concat() == bytes);
    assert!(bytes.len() < packed.bytes() as usize + 10_000, "{} bytes of {}", bytes.len(), packed.bytes());
    // Readers that take one frame and readers that take all find the same text, and it is what it always was.
    let text = text::unpack(&[bytes.as_slice(), b"more"].concat()).unwrap();
    assert_eq!(zstd::decode_all(bytes.as_slice()).unwrap(), text.as_bytes());
    assert_eq!(text, document::write(&params, &params.session.saved(), true).unwrap());
    let written: Value = serde_json::from_str(&text).unwrap();
    let written: SavedSession = serde_json::from_str(written["fields"]["session"].as_str().unwrap()).unwrap();
    assert!(written.take.unwrap().unpack(None).unwrap() == take);
    // And so they do when only some of it is there.
    for length in [0, 6, 100, bytes.len() / 2, bytes.len() - 1] {
        let opened = read(received(&bytes[..length]));
        assert!(!opened.known, "{length} bytes");
    }
}

#[test]
fn a_take_beside_a_kept_state_is_saved_with_it() {
    let params = ContinuoParams::default();
    let newer = zstd::encode_all(br#"{"state_version":99}"#.as_slice(), 3).unwrap();
    place(&params, &read(received(&newer)));
    assert_eq!(kept(&params), newer);
    let (packed, _) = crate::take::pack::pack(&long_take(), u64::MAX, None);
    let mut session = params.session.saved();
    session.take = Some(packed.into());
    params.session.set(session);
    for _ in 0..2 {
        let saved = own(&params);
        let session: SavedSession = serde_json::from_str(saved["fields"]["session"].as_str().unwrap()).unwrap();
        assert!(*session.unread.kept.state.unwrap().bytes == *newer);
        assert!(session.take.unwrap().unpack(None).unwrap() == long_take());
    }
}

#[test]
fn takes_beside_the_chosen_one_are_written_once_too() {
    let pack = |take: &crate::take::Take| std::sync::Arc::new(crate::take::pack::pack(take, u64::MAX, None).0);
    let params = ContinuoParams::default();
    let mut session = params.session.saved();
    session.take = Some(pack(&long_take()));
    for _ in 0..2 {
        session.shelf.others.push((crate::take::shelf::Label::default(), pack(&long_take())));
    }
    params.session.set(session);
    let (first, second) = (write(&params).unwrap(), write(&params).unwrap());
    let (first, second) = (pieces(&first), pieces(&second));
    let is_long = |piece: &&&[u8]| piece.len() > 50_000;
    assert_eq!(first.iter().filter(is_long).count(), 6);
    for (one, other) in first.iter().zip(&second).filter(|(one, _)| is_long(one)) {
        assert!(std::ptr::eq(*one, *other), "a sound was written anew");
    }
    let other = ContinuoParams::default();
    place(&other, &read(received(&first.concat())));
    let takes = other.session.snapshot().takes;
    assert_eq!(takes.iter().map(|take| take.title.as_str()).collect::<Vec<_>>(), ["Take 1", "Take 2", "Take 3"]);
    assert!(takes[0].chosen);
}
