//! Presets through the built plugin's CLAP entry, as a host that scans them and then loads them sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp, unsafe_op_in_unsafe_fn)]

mod common;

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::sync::Mutex;

use clap_sys::entry::clap_plugin_entry;
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_host_params, clap_plugin_params};
use clap_sys::ext::preset_load::{
    CLAP_EXT_PRESET_LOAD, CLAP_EXT_PRESET_LOAD_COMPAT, clap_host_preset_load, clap_plugin_preset_load,
};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::factory::plugin_factory::{CLAP_PLUGIN_FACTORY_ID, clap_plugin_factory};
use clap_sys::factory::preset_discovery::*;
use clap_sys::host::clap_host;
use clap_sys::plugin::clap_plugin;
use clap_sys::stream::{clap_istream, clap_ostream};
use clap_sys::timestamp::clap_timestamp;
use clap_sys::universal_plugin_id::clap_universal_plugin_id;
use clap_sys::version::CLAP_VERSION;
use common::Bundle;
use common::host::number_of;

/// What a provider says to the host, word by word.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn note(data: *mut c_void, words: String) {
        // SAFETY: each structure below carries a `Heard` that outlives it.
        unsafe { &*data.cast::<Self>() }.0.lock().unwrap().push(words);
    }

    fn all(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

unsafe fn text(words: *const c_char) -> String {
    if words.is_null() { "-".to_owned() } else { CStr::from_ptr(words).to_str().unwrap().to_owned() }
}

unsafe extern "C" fn filetype(
    indexer: *const clap_preset_discovery_indexer,
    kind: *const clap_preset_discovery_filetype,
) -> bool {
    Heard::note((*indexer).indexer_data, format!("files {}", text((*kind).file_extension)));
    true
}

unsafe extern "C" fn location(
    indexer: *const clap_preset_discovery_indexer,
    place: *const clap_preset_discovery_location,
) -> bool {
    let place = &*place;
    Heard::note((*indexer).indexer_data, format!("{} {} {}", place.kind, place.flags, text(place.location)));
    true
}

type Receiver = clap_preset_discovery_metadata_receiver;

unsafe extern "C" fn on_error(to: *const Receiver, os_error: i32, words: *const c_char) {
    Heard::note((*to).receiver_data, format!("error {os_error}: {}", text(words)));
}
unsafe extern "C" fn begin(to: *const Receiver, name: *const c_char, key: *const c_char) -> bool {
    Heard::note((*to).receiver_data, format!("{} [{}]", text(name), text(key)));
    true
}
unsafe extern "C" fn plugin_id(to: *const Receiver, id: *const clap_universal_plugin_id) {
    Heard::note((*to).receiver_data, format!("for {} {}", text((*id).abi), text((*id).id)));
}
unsafe extern "C" fn flags(to: *const Receiver, flags: u32) {
    Heard::note((*to).receiver_data, format!("flags {flags}"));
}
unsafe extern "C" fn creator(to: *const Receiver, words: *const c_char) {
    Heard::note((*to).receiver_data, format!("by {}", text(words)));
}
unsafe extern "C" fn feature(to: *const Receiver, words: *const c_char) {
    Heard::note((*to).receiver_data, format!("is {}", text(words)));
}
unsafe extern "C" fn ignore_text(_: *const Receiver, words: *const c_char) {
    text(words);
}
unsafe extern "C" fn ignore_times(_: *const Receiver, _: clap_timestamp, modified: clap_timestamp) {
    assert!(modified > 1_600_000_000);
}
unsafe extern "C" fn extra(to: *const Receiver, key: *const c_char, value: *const c_char) {
    Heard::note((*to).receiver_data, format!("{}: {}", text(key), text(value)));
}

/// The plugin's library, loaded for its entry alone.
struct Library {
    entry: *const clap_plugin_entry,
    _library: libloading::Library,
}

impl Library {
    fn load(bundle: &Bundle) -> Self {
        // SAFETY: the library is the plugin of this very build; its entry keeps to the CLAP headers.
        unsafe {
            let library = libloading::Library::new(&bundle.clap).unwrap();
            let entry = *library.get::<*const clap_plugin_entry>(b"clap_entry\0").unwrap();
            let path = CString::new(bundle.clap.to_str().unwrap()).unwrap();
            assert!((*entry).init.unwrap()(path.as_ptr()));
            Self { entry, _library: library }
        }
    }

    unsafe fn factory<T>(&self, id: &CStr) -> *const T {
        (*self.entry).get_factory.unwrap()(id.as_ptr()).cast()
    }
}

/// Scans as a host does: gives what the provider declares, and what it says of each file.
unsafe fn scan(library: &Library, id: &CStr, files: &[PathBuf]) -> (Vec<String>, Vec<(bool, Vec<String>)>) {
    let heard = Heard::default();
    let factory = library.factory::<clap_preset_discovery_factory>(id);
    assert_eq!((*factory).count.unwrap()(factory), 1);
    let descriptor = (*factory).get_descriptor.unwrap()(factory, 0);
    assert!((*factory).get_descriptor.unwrap()(factory, 1).is_null());
    let indexer = clap_preset_discovery_indexer {
        clap_version: CLAP_VERSION,
        name: c"Test".as_ptr(),
        vendor: c"Test".as_ptr(),
        url: c"".as_ptr(),
        version: c"1".as_ptr(),
        indexer_data: (&raw const heard).cast_mut().cast(),
        declare_filetype: Some(filetype),
        declare_location: Some(location),
        declare_soundpack: None,
        get_extension: None,
    };
    assert!((*factory).create.unwrap()(factory, &raw const indexer, c"another".as_ptr()).is_null());
    let provider = (*factory).create.unwrap()(factory, &raw const indexer, (*descriptor).id);
    assert!((*provider).init.unwrap()(provider));
    let declared = heard.all();
    let receiver = Receiver {
        receiver_data: (&raw const heard).cast_mut().cast(),
        on_error: Some(on_error),
        begin_preset: Some(begin),
        add_plugin_id: Some(plugin_id),
        set_soundpack_id: Some(ignore_text),
        set_flags: Some(flags),
        add_creator: Some(creator),
        set_description: Some(ignore_text),
        set_timestamps: Some(ignore_times),
        add_feature: Some(feature),
        add_extra_info: Some(extra),
    };
    let get = (*provider).get_metadata.unwrap();
    let told = files.iter().map(|file| {
        let place = CString::new(file.to_str().unwrap()).unwrap();
        let good = get(provider, CLAP_PRESET_DISCOVERY_LOCATION_FILE, place.as_ptr(), &raw const receiver);
        (good, heard.all())
    });
    let told = told.collect();
    // There is nothing in the plugin itself.
    assert!(!get(provider, CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN, null(), &raw const receiver));
    assert!(heard.all()[0].starts_with("error"));
    (*provider).destroy.unwrap()(provider);
    (declared, told)
}

/// A bundle with a good patch of its own model and clip, one whose model is nowhere, and one that is none.
fn bundle() -> (Bundle, [PathBuf; 3]) {
    let bundle = Bundle::new();
    let folder = bundle.folder.path().join("Continuo.resources/presets/patches");
    std::fs::create_dir_all(&folder).unwrap();
    let sha256 = continuo_package::hash::sha256_hex_of_file(&bundle.model).unwrap();
    let patch = |model: &str| {
        format!(
            r#"{{"continuo_patch":1,"name":"Good","author":"Me","features":["piano","pad"],"category":"Keys",
                "model":{{"file":"{model}","sha256":"{sha256}"}},"clip":{{"file":"01-test.wav"}},
                "parameters":{{"length":3,"playback":"midi","mono":true,"gain":0.25}}}}"#
        )
    };
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = [
        write("good.continuo-patch", &patch("piano-16k.continuo")),
        write("lost.continuo-patch", &patch("nowhere.continuo")),
        write("bad.continuo-patch", "no patch"),
    ];
    (bundle, files)
}

#[test]
fn a_host_finds_the_patches_without_an_instance() {
    let (bundle, files) = bundle();
    let folder = files[0].parent().unwrap().canonicalize().unwrap();
    let files: Vec<PathBuf> = files.iter().map(|file| folder.join(file.file_name().unwrap())).collect();
    let library = Library::load(&bundle);
    for id in [CLAP_PRESET_DISCOVERY_FACTORY_ID, CLAP_PRESET_DISCOVERY_FACTORY_ID_COMPAT] {
        // SAFETY: calls in the order that CLAP prescribes, with structures that outlive them.
        let (declared, told) = unsafe { scan(&library, id, &files) };
        assert_eq!(declared[0], "files continuo-patch");
        let factory = format!("0 {CLAP_PRESET_DISCOVERY_IS_FACTORY_CONTENT} {}", folder.display());
        assert!(declared.contains(&factory), "{declared:?}");
        let good = [
            "Good [-]",
            "for clap org.continuo.continuo",
            "flags 1",
            "by Me",
            "is piano",
            "is pad",
            "category: Keys",
            "model: piano-16k.continuo",
            "seed clip: 01-test.wav",
        ];
        assert_eq!(told[0], (true, good.map(str::to_owned).to_vec()));
        // What is in the models is nobody's business while a host scans.
        assert!(told[1].0);
        assert!(!told[2].0 && told[2].1.len() == 1 && told[2].1[0].contains("bad.continuo-patch"), "{:?}", told[2]);
    }
}

/// What the plugin has told the host of its presets.
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

unsafe extern "C" fn load_failed(
    _: *const clap_host,
    kind: u32,
    place: *const c_char,
    _: *const c_char,
    os_error: i32,
    words: *const c_char,
) {
    TOLD.lock().unwrap().push(format!("failed {kind} {} {os_error} {}", text(place), text(words)));
}
unsafe extern "C" fn load_went_well(_: *const clap_host, kind: u32, place: *const c_char, _: *const c_char) {
    TOLD.lock().unwrap().push(format!("loaded {kind} {}", text(place)));
}
unsafe extern "C" fn rescan(_: *const clap_host, _: u32) {
    TOLD.lock().unwrap().push("rescan".to_owned());
}
unsafe extern "C" fn clear(_: *const clap_host, _: u32, _: u32) {}
unsafe extern "C" fn nothing(_: *const clap_host) {}

unsafe extern "C" fn host_extension(_: *const clap_host, id: *const c_char) -> *const c_void {
    static PRESETS: clap_host_preset_load =
        clap_host_preset_load { on_error: Some(load_failed), loaded: Some(load_went_well) };
    static PARAMS: clap_host_params =
        clap_host_params { rescan: Some(rescan), clear: Some(clear), request_flush: Some(nothing) };
    match CStr::from_ptr(id) {
        id if id == CLAP_EXT_PRESET_LOAD => (&raw const PRESETS).cast(),
        id if id == CLAP_EXT_PARAMS => (&raw const PARAMS).cast(),
        _ => null(),
    }
}

/// An instance in a host that hears of presets.
struct Instance {
    plugin: *const clap_plugin,
    _host: Box<clap_host>,
    _library: Library,
}

impl Instance {
    unsafe fn new(library: Library) -> Self {
        let host = Box::new(clap_host {
            clap_version: CLAP_VERSION,
            host_data: std::ptr::null_mut(),
            name: c"Test".as_ptr(),
            vendor: c"Test".as_ptr(),
            url: c"".as_ptr(),
            version: c"1".as_ptr(),
            get_extension: Some(host_extension),
            request_restart: Some(nothing),
            request_process: Some(nothing),
            request_callback: Some(nothing),
        });
        let factory = library.factory::<clap_plugin_factory>(CLAP_PLUGIN_FACTORY_ID);
        let plugin = (*factory).create_plugin.unwrap()(factory, &raw const *host, c"org.continuo.continuo".as_ptr());
        assert!((*plugin).init.unwrap()(plugin));
        Self { plugin, _host: host, _library: library }
    }

    unsafe fn extension<T>(&self, id: &CStr) -> *const T {
        (*self.plugin).get_extension.unwrap()(self.plugin, id.as_ptr()).cast()
    }

    unsafe fn value(&self, id: &str) -> f64 {
        let params = self.extension::<clap_plugin_params>(CLAP_EXT_PARAMS);
        let mut value = f64::NAN;
        assert!((*params).get_value.unwrap()(self.plugin, number_of(id), &raw mut value));
        value
    }

    /// Loads a preset; says whether that went well, and what the host was told.
    unsafe fn load(&self, path: &Path) -> (bool, Vec<String>) {
        TOLD.lock().unwrap().clear();
        let presets = self.extension::<clap_plugin_preset_load>(CLAP_EXT_PRESET_LOAD);
        let place = CString::new(path.to_str().unwrap()).unwrap();
        let kind = CLAP_PRESET_DISCOVERY_LOCATION_FILE;
        let went_well = (*presets).from_location.unwrap()(self.plugin, kind, place.as_ptr(), null());
        // What waits for the main thread.
        (*self.plugin).on_main_thread.unwrap()(self.plugin);
        (went_well, TOLD.lock().unwrap().clone())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: nobody uses the instance any more.
        unsafe { (*self.plugin).destroy.unwrap()(self.plugin) };
    }
}

/// What is told to hosts goes to one place, whichever instance says it: one test after the other.
static ONE: Mutex<()> = Mutex::new(());

#[test]
fn a_host_loads_a_patch_and_hears_how_it_went() {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (bundle, [good, lost, bad]) = bundle();
    // SAFETY: calls in the order that CLAP prescribes, on the thread that stands for the host's main one.
    unsafe {
        let instance = Instance::new(Library::load(&bundle));
        let values = || ["gain", "length", "playback", "mono"].map(|id| instance.value(id));
        let presets = instance.extension::<clap_plugin_preset_load>(CLAP_EXT_PRESET_LOAD);
        assert_eq!(presets, instance.extension(CLAP_EXT_PRESET_LOAD_COMPAT));
        let before = values();
        for path in [&lost, &bad, &good.with_file_name("none.continuo-patch")] {
            let (went_well, told) = instance.load(path);
            assert!(!went_well && told.len() == 1, "{told:?}");
            assert!(told[0].starts_with(&format!("failed 0 {}", path.display())) && told[0].contains(';'), "{told:?}");
            assert_eq!(values(), before, "nothing has changed");
        }
        assert!(instance.load(&lost).1[0].contains("nowhere.continuo"));
        let from_location = (*presets).from_location.unwrap();
        assert!(!from_location(instance.plugin, CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN, null(), null()));

        let (went_well, told) = instance.load(&good);
        assert!(went_well && told.contains(&format!("loaded 0 {}", good.display())), "{told:?}");
        assert!(told.contains(&"rescan".to_owned()), "{told:?}");
        let after = values();
        // The level is the project's own.
        assert_eq!(after[0].to_bits(), before[0].to_bits());
        assert!(after[1..].iter().zip(&before[1..]).all(|(after, before)| after != before), "{after:?}");
    }
}

unsafe extern "C" fn write(stream: *const clap_ostream, bytes: *const c_void, count: u64) -> i64 {
    let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize);
    (*(*stream).ctx.cast::<Vec<u8>>()).extend(bytes);
    count as i64
}

unsafe extern "C" fn read(stream: *const clap_istream, bytes: *mut c_void, room: u64) -> i64 {
    let rest = &mut *(*stream).ctx.cast::<&[u8]>();
    let count = rest.len().min(room as usize);
    std::ptr::copy_nonoverlapping(rest.as_ptr(), bytes.cast(), count);
    *rest = &rest[count..];
    count as i64
}

#[test]
fn a_patch_leaves_the_takes_of_a_project_alone() {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (_, state) = common::finished_state();
    let (bundle, [good, ..]) = bundle();
    // SAFETY: as above; the streams live through the calls.
    unsafe {
        let instance = Instance::new(Library::load(&bundle));
        let states = instance.extension::<clap_plugin_state>(CLAP_EXT_STATE);
        let mut rest = state.as_slice();
        let stream = clap_istream { ctx: (&raw mut rest).cast(), read: Some(read) };
        assert!((*states).load.unwrap()(instance.plugin, &raw const stream));
        let save = || {
            let mut bytes: Vec<u8> = Vec::new();
            let stream = clap_ostream { ctx: (&raw mut bytes).cast(), write: Some(write) };
            assert!((*states).save.unwrap()(instance.plugin, &raw const stream));
            common::saved(&bytes)
        };
        let (before, length) = (save(), instance.value("length"));
        assert!(before.take.is_some());
        assert!(instance.load(&good).0);
        assert_ne!(instance.value("length").to_bits(), length.to_bits());
        let after = save();
        assert!(after.take == before.take && after.shelf == before.shelf);
    }
}
