//! What VST3 hosts find in files: the module's description, and presets.

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{IEditController, IEditControllerTrait as _};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    IPluginFactory2, IPluginFactory2Trait as _, IPluginFactoryTrait as _, PClassInfo2, PFactoryInfo, kResultOk,
};

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::ProcessModes_::kRealtime;

use crate::common;
use crate::common::host::number_of;
use crate::host::{Instance, factory};
use crate::stream::Stream;
use crate::vstpreset;

/// The file that the bundler lays into the bundle.
const MODULE_INFO: &str = include_str!("../../bundler/src/moduleinfo.json");

fn words(letters: &[std::ffi::c_char]) -> String {
    letters.iter().take_while(|letter| **letter != 0).map(|letter| char::from(*letter as u8)).collect()
}

#[test]
fn the_modules_description_says_what_its_factory_says() {
    let info: serde_json::Value =
        serde_json::from_str(&MODULE_INFO.replace("@VERSION@", env!("CARGO_PKG_VERSION"))).unwrap();
    let bundle = common::Bundle::new();
    let (_library, factory) = factory(&bundle);
    let factory = factory.cast::<IPluginFactory2>().unwrap();
    // SAFETY: plain COM calls with room for what they give.
    let (module, class) = unsafe {
        let mut module: PFactoryInfo = std::mem::zeroed();
        let mut class: PClassInfo2 = std::mem::zeroed();
        assert_eq!(factory.getFactoryInfo(&raw mut module), kResultOk);
        assert_eq!(factory.getClassInfo2(0, &raw mut class), kResultOk);
        assert_eq!(factory.countClasses() as usize, info["Classes"].as_array().unwrap().len());
        (module, class)
    };
    let said = &info["Factory Info"];
    assert_eq!(said["Vendor"], words(&module.vendor));
    assert_eq!(said["URL"], words(&module.url));
    assert_eq!(said["E-Mail"], words(&module.email));
    let flag = |bit: i32| module.flags & bit != 0;
    assert_eq!(said["Flags"]["Classes Discardable"], flag(1));
    assert_eq!(said["Flags"]["Component Non Discardable"], flag(8));
    assert_eq!(said["Flags"]["Unicode"], flag(16));
    let said = &info["Classes"][0];
    assert_eq!(said["CID"], vstpreset_class(&class.cid));
    assert_eq!(said["Category"], words(&class.category));
    assert_eq!((&info["Name"], &said["Name"]), (&words(&class.name).into(), &words(&class.name).into()));
    assert_eq!(said["Vendor"], words(&class.vendor));
    assert_eq!((&info["Version"], &said["Version"]), (&words(&class.version).into(), &words(&class.version).into()));
    assert_eq!(said["SDKVersion"], words(&class.sdkVersion));
    let categories: Vec<&str> =
        said["Sub Categories"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(categories.join("|"), words(&class.subCategories));
    assert_eq!(said["Class Flags"], class.classFlags);
    assert_eq!(said["Cardinality"], class.cardinality);
}

/// A class's id as files name it. On Windows, its first eight bytes stand in memory as the numbers of a GUID do.
fn vstpreset_class(cid: &[std::ffi::c_char; 16]) -> String {
    let bytes = cid.map(|byte| byte as u8);
    let order: [usize; 16] = if cfg!(windows) {
        [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    } else {
        std::array::from_fn(|at| at)
    };
    let digit = |value: u8| char::from(b"0123456789ABCDEF"[usize::from(value)]);
    order.iter().flat_map(|at| [digit(bytes[*at] >> 4), digit(bytes[*at] & 15)]).collect()
}

#[test]
fn a_preset_opens_in_an_instance_and_leaves_its_takes_alone() {
    let (bundle, state) = common::finished_state();
    // Whatever models the shipped patches name: the tests' bundle has one, under the name of the first.
    let patches = concat!(env!("CARGO_MANIFEST_DIR"), "/presets/patches");
    let mut opened = 0;
    for path in std::fs::read_dir(patches).unwrap().map(|entry| entry.unwrap().path()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("grand-16k.continuo", "piano-16k.continuo");
        let text = ["01-gounod-o-ma-belle-rebelle", "02-greger-min-schatz-is-en-jager", "03-brahms-liebesglut"]
            .iter()
            .fold(text, |text, clip| text.replace(clip, "01-test"));
        let patch = continuo::patch::Patch::parse(text.as_bytes(), &path).unwrap();
        let preset = vstpreset::write("436F6E74696E756F496E737472756D31", text.as_bytes());
        let (_, component) = vstpreset::read(&preset).unwrap();
        let instance = Instance::new(&bundle, &[kRealtime], &[("gain", 0.125), ("voices", 0.5)]);
        assert!(instance.restore(Stream::new(&state[8..], 4096)));
        let before = common::saved(&[&[0; 8], instance.save(Stream::new(&[], 4096)).1.as_slice()].concat());
        let controller = instance.component.cast::<IEditController>().unwrap();
        // SAFETY: a plain COM call.
        let value = |id: &str| unsafe { controller.getParamNormalized(number_of(id)) };
        let gain = value("gain");
        // Some hosts give the rest of the file as the state's stream, some the chunk alone.
        let stream = Stream::new(&[b"host's own", component, b"List"].concat(), 23);
        stream.inner.lock().unwrap().position = 10;
        assert!(instance.restore(stream), "{}", path.display());
        let expected = continuo::params::ContinuoParams::default();
        let turns = expected.turns_to(&patch.parameters);
        expected.put(&turns.into_iter().map(|turn| (turn.id, turn.after)).collect::<Vec<_>>());
        for (id, pointer, _) in nice_plug::params::Params::param_map(&expected) {
            if expected.knows_in_patches(&id) {
                // SAFETY: the parameter is one of `expected`.
                let wanted = unsafe { pointer.unmodulated_normalized_value() };
                assert!((value(&id) - f64::from(wanted)).abs() < 1e-6, "{}: {id}", path.display());
            }
        }
        assert_eq!(value("gain").to_bits(), gain.to_bits(), "the level is the project's own");
        let after = common::saved(&[&[0; 8], instance.save(Stream::new(&[], 4096)).1.as_slice()].concat());
        assert!(before.take.is_some() && after.take == before.take && after.shelf == before.shelf);
        opened += 1;
    }
    assert!(opened >= 12, "{opened} presets");
}

#[test]
fn a_preset_whose_model_is_not_here_is_refused_and_changes_nothing() {
    let bundle = common::Bundle::new();
    let instance = Instance::new(&bundle, &[kRealtime], &[]);
    let (_, before) = instance.save(Stream::new(&[], 4096));
    let text = format!(
        r#"{{"continuo_patch":1,"name":"a","model":{{"file":"none.continuo","sha256":"{}"}},"parameters":{{"length":3}}}}"#,
        "0".repeat(64)
    );
    for text in [text.as_str(), r#"{"continuo_patch":1}"#, r#"{"continuo_patch":9,"name":"newer"}"#] {
        assert!(!instance.restore(Stream::new(text.as_bytes(), 4096)), "{text}");
        assert!(instance.save(Stream::new(&[], 4096)).1 == before, "{text}");
    }
}
