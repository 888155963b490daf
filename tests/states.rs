//! Saved states in a CLAP host: of every version that ever was, of none, and of a project that comes after another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

mod common;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Bundle, bits, play, saved, sound, take, with_session};
use continuo::take::Take;
use continuo_package::hash::sha256_hex;
use serde_json::{Value, json};

/// What is in a golden state.
struct Golden {
    file: &'static str,
    /// Parameters that are not at their defaults, as the host shows them.
    values: &'static [(&'static str, &'static str)],
    /// SHA-256 of the seed clip's and all variations' samples.
    sound: Option<&'static str>,
}

/// A change to a state's document and to the session in it.
type Edit = &'static dyn Fn(&mut Value, &mut Value);

fn golden(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/states").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fingerprint(take: &Take) -> String {
    let mut bytes = Vec::new();
    for clip in take.seed.iter().chain(&take.variations) {
        bytes.extend(clip.sample_rate_hz.to_le_bytes());
        bytes.extend(clip.channels.iter().flatten().flat_map(|value| value.to_le_bytes()));
    }
    sha256_hex(&bytes)
}

/// The JSON in a state.
fn document(state: &[u8]) -> Value {
    serde_json::from_slice(&zstd::decode_all(&state[8..]).unwrap()).unwrap()
}

/// A state of JSON.
fn state(document: &Value) -> Vec<u8> {
    let packed = zstd::encode_all(document.to_string().as_bytes(), 1).unwrap();
    let mut bytes = (packed.len() as u64).to_le_bytes().to_vec();
    bytes.extend(packed);
    bytes
}

/// A plugin and a project with a take, all parameters at their defaults.
fn project() -> (Bundle, Vec<u8>) {
    let mut whole = document(&golden("1b/inline.state"));
    whole["params"] = json!({});
    let bundle = Bundle::new();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state(&whole)).unwrap());
    let state = plugin.save().unwrap();
    (bundle, state)
}

/// Runs an ignored test of this program in a process of its own.
fn run_alone(test: &str, limits: &str, variables: &[(&str, &Path)]) {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{limits} exec \"$0\" \"$@\"")).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{test} ended with {}:\n{text}", output.status);
}

include!("golden/states/table.rs");

fn opens_with_its_sound(golden_state: &Golden) {
    let Golden { file, values, sound: expected } = golden_state;
    let bundle = Bundle::new();
    let mut bytes = golden(file);
    // As it was saved then, and as it is saved now.
    for _ in 0..2 {
        let mut plugin = bundle.load();
        assert!(plugin.restore(&bytes).unwrap(), "{file}");
        for (id, text) in *values {
            let (parameter, value) = plugin.value(id, text).unwrap();
            let current = plugin.current(parameter).unwrap();
            assert!((current - value).abs() < 1e-5, "{file}: {id} is {current}, not {value}");
        }
        bytes = plugin.save().unwrap();
        assert_eq!(document(&bytes)["state_version"], json!(2));
        let session = saved(&bytes);
        assert!(session.unread == continuo::session::Unread::default(), "{file}");
        assert_eq!(session.take.is_some(), expected.is_some(), "{file}");
        let Some(expected) = expected else { continue };
        let store = std::env::var_os("XDG_DATA_HOME").map(|home| PathBuf::from(home).join("continuo/takes"));
        let store = store.map(continuo::take::store::Store::at);
        let take = session.take.unwrap().unpack(store.as_ref()).unwrap();
        assert_eq!(fingerprint(&take), *expected, "{file}");
        // And that is what is heard.
        let chosen =
            values.iter().find(|(id, _)| *id == "take").map_or(0, |(_, text)| text.parse::<usize>().unwrap() - 1);
        let [left, right] = sound(&take, 48_000, chosen, true);
        let plain = [("playback", "Timeline"), ("start", "1"), ("gain", "0"), ("arrangement", "off")];
        let heard = play(&mut plugin, 48_000, 512, &plain, 0, left.len(), false);
        // The gain's way to 0 dB and the fade at the end are not the take's.
        for frame in 1_000..left.len() - 1_000 {
            // A host's text names 0 dB to the last bit but one.
            for (heard, wanted) in heard[frame].iter().zip([left[frame], right[frame]]) {
                assert!((heard - wanted).abs() <= 1e-6, "{file}, frame {frame}: {heard}, not {wanted}");
            }
        }
    }
}

#[test]
fn states_of_every_version_open_with_their_sound() {
    for golden_state in GOLDEN {
        opens_with_its_sound(golden_state);
    }
}

#[test]
fn a_list_of_takes_opens_with_its_names_and_stars_and_each_has_its_sound() {
    let bundle = Bundle::new();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&golden("3/takes.state")).unwrap());
    let session = saved(&plugin.save().unwrap());
    let (label, others) = (&session.shelf.label, &session.shelf.others);
    assert_eq!((label.number, label.name.as_deref(), label.stars), (3, Some("Bridge"), 2));
    assert_eq!(others.iter().map(|(label, _)| (label.number, label.stars)).collect::<Vec<_>>(), [(1, 1), (2, 0)]);
    let mut sounds: Vec<Take> = others.iter().map(|(_, packed)| packed.unpack(None).unwrap()).collect();
    sounds.push(session.take.unwrap().unpack(None).unwrap());
    assert_eq!(sounds.iter().map(|take| take.recipe.rng_seed).collect::<Vec<_>>(), [11, 12, 13]);
    assert!(sounds.iter().all(|take| take.recipe.bits_per_frame.len() == 2 && take.variations[0].frames() == 8_000));
    assert!(sounds[0].variations != sounds[1].variations && sounds[1].variations != sounds[2].variations);
}

#[test]
#[cfg(target_os = "linux")]
fn states_whose_take_lies_in_the_store_open_with_their_sound() {
    let home = tempfile::tempdir().unwrap();
    let takes = home.path().join("continuo/takes");
    std::fs::create_dir_all(&takes).unwrap();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/states/takes");
    for file in std::fs::read_dir(stored).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), takes.join(file.file_name())).unwrap();
    }
    run_alone("alone_stored_states", "", &[("XDG_DATA_HOME", home.path())]);
}

#[test]
#[ignore = "run by another test, with a take store of its own"]
fn alone_stored_states() {
    for golden_state in STORED {
        opens_with_its_sound(golden_state);
    }
}

#[test]
fn a_project_that_is_opened_after_another_has_nothing_of_it() {
    let (bundle, before) = project();
    let other = with_session(&before, |session| session.model = Some("/other.continuo".into()));
    let session: Value = serde_json::from_str(document(&other)["fields"]["session"].as_str().unwrap()).unwrap();
    let change = |edit: &dyn Fn(&mut Value, &mut Value)| {
        let (mut whole, mut session) = (document(&other), session.clone());
        edit(&mut whole, &mut session);
        if whole["fields"].get("session").is_some() {
            whole["fields"]["session"] = session.to_string().into();
        }
        state(&whole)
    };
    let mut plugin = bundle.load();
    let mut open_after = |bytes: &[u8]| {
        assert!(plugin.restore(&before).unwrap());
        assert!(plugin.restore(bytes).unwrap());
        let heard = play(&mut plugin, 48_000, 512, &[], 0, 4_800, false);
        (heard.iter().flatten().any(|value| *value != 0.0), plugin.save().unwrap())
    };
    // What does not concern the sound does not cost it.
    for (path, value) in [
        ("/take/recipe/settings/precision", json!("fp4")),
        ("/take/recipe/engine_version", json!(7)),
        ("/take/recipe", json!("by heart")),
        ("/inline_limit", json!(-1)),
        ("/model", json!({"cloud": "piano"})),
    ] {
        let (sounds, again) = open_after(&change(&|_, session| *session.pointer_mut(path).unwrap() = value.clone()));
        assert!(sounds, "{path}");
        let again: Value = serde_json::from_str(document(&again)["fields"]["session"].as_str().unwrap()).unwrap();
        assert_eq!(again.pointer(path), Some(&value), "{path}");
    }
    // A take that cannot be read is silent, and is saved again as it was.
    for value in [json!({"recipe": {}}), json!("a take"), json!({"variations": [{"codec": "opus"}]})] {
        let (sounds, again) = open_after(&change(&|_, session| session["take"] = value.clone()));
        assert!(!sounds, "{value}");
        let again: Value = serde_json::from_str(document(&again)["fields"]["session"].as_str().unwrap()).unwrap();
        assert_eq!(again["take"], value);
    }
    // Without a take, or without a session, there is none.
    let without: [Edit; 3] = [
        &|_, session| session["take"] = Value::Null,
        &|whole, _| drop(whole["fields"].as_object_mut().unwrap().remove("session")),
        &|whole, _| whole["fields"] = json!({}),
    ];
    for edit in without {
        let (sounds, again) = open_after(&change(edit));
        assert!(!sounds && saved(&again).take.is_none());
    }
}

#[test]
fn numbers_out_of_range_do_no_harm() {
    let (bundle, before) = project();
    let mut whole = document(&before);
    whole["params"]["gain"] = json!({"f32": 1e30});
    whole["params"]["mode"] = json!({"i32": 9});
    whole["params"]["take"] = json!({"i32": -3});
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state(&whole)).unwrap());
    let heard = play(&mut plugin, 48_000, 512, &[], 0, 48_000, false);
    let peak = heard.iter().flatten().fold(0.0_f32, |peak, value| peak.max(value.abs()));
    let highest = |take: &Take| {
        let sounds = take.seed.iter().chain(&take.variations).flat_map(|clip| clip.channels.iter().flatten());
        sounds.fold(0.0_f32, |highest, value| highest.max(value.abs()))
    };
    // Twelve decibels, the most that the parameter has, are a factor of four; between frames a sound may go higher still.
    assert!(peak > 0.1 && peak <= 4.0 * 1.5 * highest(&take(&before)), "a peak of {peak}");
    let again = document(&plugin.save().unwrap());
    assert_eq!(again["params"]["mode"], json!({"i32": 9}));
    let (mode, value) = plugin.value("mode", "Continue").unwrap();
    assert_eq!(plugin.current(mode).unwrap(), value);
}

#[test]
#[cfg(unix)]
fn paths_that_are_no_text_cost_nothing() {
    use std::os::unix::ffi::OsStringExt as _;
    let (bundle, before) = project();
    let path = PathBuf::from(std::ffi::OsString::from_vec(b"/models/caf\xe9.continuo".to_vec()));
    let chosen = with_session(&before, |session| session.model = Some(path.clone()));
    let mut plugin = bundle.load();
    assert!(plugin.restore(&chosen).unwrap());
    let again = plugin.save().unwrap();
    assert_eq!(saved(&again).model, Some(path));
    assert_eq!(saved(&again).take, saved(&before).take);
}

/// Moves at most `piece` bytes per call, and fails after `left` of them.
struct Trickle<T> {
    inner: T,
    piece: usize,
    left: usize,
}

impl<T> Trickle<T> {
    fn next(&mut self, asked: usize) -> std::io::Result<usize> {
        if self.left == 0 && asked > 0 {
            return Err(std::io::Error::other("the disk is full"));
        }
        let count = asked.min(self.piece).min(self.left);
        self.left -= count;
        Ok(count)
    }
}

impl<T: Read> Read for Trickle<T> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.next(buffer.len())?;
        self.inner.read(&mut buffer[..count])
    }
}

impl<T: Write> Write for Trickle<T> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let count = self.next(buffer.len())?;
        self.inner.write(&buffer[..count])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_host_may_move_a_state_in_pieces_and_hears_of_a_failure() {
    let (bundle, before) = project();
    for piece in [1, 23, 4096] {
        let mut plugin = bundle.load();
        assert!(plugin.restore_from(Trickle { inner: before.as_slice(), piece, left: usize::MAX }).unwrap());
        let mut target = Trickle { inner: Vec::new(), piece, left: usize::MAX };
        assert!(plugin.save_to(&mut target).unwrap());
        assert_eq!(saved(&target.inner).take, saved(&before).take);
        for left in [4, 8, before.len() / 2] {
            assert!(
                !plugin.save_to(Trickle { inner: Vec::new(), piece, left }).unwrap(),
                "a full disk is no saved project"
            );
            assert!(!plugin.restore_from(Trickle { inner: before.as_slice(), piece, left }).unwrap());
            // What was there is gone, and what came is saved again.
            assert!(plugin.save().unwrap() == before[..left]);
            assert!(plugin.restore(&before).unwrap());
        }
    }
}

#[test]
fn a_state_of_a_newer_version_is_saved_again_as_it_was() {
    let (bundle, before) = project();
    let mut newer = document(&before);
    newer["state_version"] = json!(99);
    let newer = state(&newer);
    let mut plugin = bundle.load();
    assert!(plugin.restore(&before).unwrap());
    assert!(plugin.restore(&newer).unwrap());
    let heard = play(&mut plugin, 48_000, 512, &[], 0, 4_800, false);
    assert!(heard.iter().flatten().all(|value| *value == 0.0));
    assert!(plugin.save().unwrap() == newer);
    // Once something was changed, it goes along, and still does after another round.
    play(&mut plugin, 48_000, 512, &[("gain", "-3")], 0, 512, false);
    let changed = plugin.save().unwrap();
    assert!(plugin.restore(&changed).unwrap());
    let kept = saved(&plugin.save().unwrap()).unread.kept.state.unwrap();
    assert!(kept.bytes[..] == newer[8..] && kept.why.contains("version 99"));
}

#[test]
#[cfg(target_os = "linux")]
fn no_state_takes_the_host_with_it() {
    run_alone("alone_hostile_states", "ulimit -v 2000000;", &[]);
}

#[test]
#[ignore = "run by another test, with little memory"]
fn alone_hostile_states() {
    let bundle = Bundle::new();
    let mut plugin = bundle.load();
    let mut number = 7_u32;
    let mut noise = || {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (number >> 24) as u8
    };
    let random: Vec<u8> = (0..1 << 20).map(|_| noise()).collect();
    let mut states = vec![random, Vec::new(), vec![0xff; 64]];
    for length in (36..63).map(|power| 1_u64 << power).chain([(1 << 63) - 1, u64::MAX]) {
        let mut state = length.to_le_bytes().to_vec();
        state.extend((0..1_000).map(|_| noise()));
        states.push(state);
    }
    // Twelve gigabytes of blanks in a third of a megabyte: a zstd frame of blocks that repeat one byte.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    let blocks = (12_u64 << 30) >> 17;
    for block in 1..=blocks {
        let header = u32::from(block == blocks) | (1 << 1) | (1 << 17 << 3);
        bomb.extend(&header.to_le_bytes()[..3]);
        bomb.push(b' ');
    }
    states.push([&(bomb.len() as u64).to_le_bytes(), bomb.as_slice()].concat());
    // Takes that promise more than a machine has.
    for frames in [1_u64 << 27, 1 << 40, u64::MAX] {
        let sound = json!({"rate_hz": 16_000, "channels": 1, "frames": frames, "sha256": "", "bytes": 0, "inline": ""});
        let session = json!({"take": {"recipe": {}, "continuations": vec![sound; 8]}});
        states.push(state(&json!({"params": {}, "fields": {"session": session.to_string()}})));
    }
    let deep = format!("{{\"params\":{}", "[".repeat(1 << 20));
    states.push([&(deep.len() as u64).to_le_bytes(), deep.as_bytes()].concat());
    for bytes in &states {
        let known = plugin.restore(bytes).unwrap();
        // What is no state is refused, and saved again as it came.
        if !known && !bytes.is_empty() {
            assert!(plugin.save().unwrap() == *bytes);
        }
        let heard = play(&mut plugin, 48_000, 512, &[], 0, 512, false);
        assert!(heard.iter().flatten().all(|value| *value == 0.0));
    }
    // And the plugin is none the worse for it.
    assert!(plugin.restore(&golden("2/inline.state")).unwrap());
    let heard = play(&mut plugin, 48_000, 512, &[("playback", "Timeline"), ("start", "1")], 0, 4_800, false);
    assert!(bits(&heard).iter().any(|frame| frame[0] != 0));
    assert!(take(&plugin.save().unwrap()).variations.len() == 2);
}

#[test]
fn a_host_without_windows_of_its_own_is_none_the_worse_for_an_editor() {
    // The tests' host has no `clap.gui`. Whether there is a display for the editor is not the point.
    let bundle = Bundle::new();
    let mut plugin = bundle.load();
    let opened = plugin.open_editor().unwrap();
    assert!(opened || std::env::var_os("DISPLAY").is_none(), "there is a display, but no editor");
    assert!(plugin.restore(&golden("2/inline.state")).unwrap());
}
