//! Packages that are whole, damaged and hostile.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use continuo_package::onnx::{FLOAT, GraphProto, IR_VERSION, ModelProto, NodeProto, OPSET, OperatorSetIdProto};
use continuo_package::onnx::{TensorProto, ValueInfoProto};
use continuo_package::{
    Architecture, Defaults, FORMAT_VERSION, Families, GraphId, GraphRole, Manifest, Package, PackageError,
    PackageWriter, Reach, Signal, TrainingFacts, figures,
};
use dummy::{DUMMY, Dummy};
use prost::Message;
use std::io::Write;
use std::path::{Path, PathBuf};

mod dummy;

const GENERATOR: GraphId = GraphId::of(GraphRole::Generator);

fn open(path: &Path) -> Result<Package, PackageError> {
    Package::open_with(path, &Families::default().with(DUMMY))
}

fn graph(weight: f32) -> Vec<u8> {
    let graph = GraphProto {
        node: vec![NodeProto::new("Mul", &["latent", "w"], &["audio"], vec![])],
        name: "generator".into(),
        initializer: vec![TensorProto::from_f32("w", &[4], &[weight; 4])],
        input: vec![ValueInfoProto::tensor("latent", FLOAT, &[Err("B"), Ok(4)])],
        output: vec![ValueInfoProto::tensor("audio", FLOAT, &[Err("B"), Ok(4)])],
        ..GraphProto::default()
    };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: OPSET }];
    ModelProto { ir_version: IR_VERSION, graph: Some(graph), opset_import, ..ModelProto::default() }.encode_to_vec()
}

fn manifest() -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        name: "Test".into(),
        author: "The tests".into(),
        licence: "CC0-1.0".into(),
        sample_rate_hz: 16_000,
        channels: 2,
        signal: Signal::Real,
        reach: Reach::None { length_frames: 4 },
        architecture: Architecture::new(&DUMMY, Dummy::new(4, 1)),
        graphs: Dummy::new(4, 1).generators(),
        defaults: Defaults { temperature: Some(0.9), ..Defaults::default() },
        training: TrainingFacts::default(),
        run_id: "run".into(),
        trainer_version: "0".into(),
    }
}

fn written(folder: &Path) -> PathBuf {
    let path = folder.join("test.continuo");
    let writer = PackageWriter::new(manifest(), "Do as you like.\n").preview(b"RIFF".to_vec());
    writer.graph(GENERATOR, graph(2.0)).write(&path).unwrap();
    path
}

/// A zip of these entries, without any of the writer's care.
fn zipped(folder: &Path, entries: &[(&str, &[u8])]) -> PathBuf {
    let path = folder.join("made.continuo");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    path
}

fn manifest_json(path: &Path) -> serde_json::Value {
    serde_json::to_value(open(path).unwrap().manifest).unwrap()
}

/// The written package with a changed manifest and the same graph.
fn with_manifest(folder: &Path, change: impl FnOnce(&mut serde_json::Value)) -> PathBuf {
    let mut json = manifest_json(&written(folder));
    change(&mut json);
    let graph = graph(2.0);
    let json = json.to_string();
    zipped(folder, &[("model.json", json.as_bytes()), ("LICENCE", b"x"), ("generator.onnx", &graph)])
}

#[test]
fn written_then_opened_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let package = open(&path).unwrap();
    assert_eq!(package.graphs[&GENERATOR], graph(2.0));
    assert_eq!(package.licence, "Do as you like.\n");
    assert_eq!(package.preview.as_deref(), Some(&b"RIFF"[..]));
    assert_eq!(package.manifest.name, "Test");
    assert_eq!(package.content_hash, continuo_package::hash::sha256_hex(&std::fs::read(&path).unwrap()));
}

#[test]
fn equal_content_makes_an_equal_file() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hash = |folder: &Path| open(&written(folder)).unwrap().content_hash;
    assert_eq!(hash(one.path()), hash(two.path()));
}

#[test]
fn every_truncation_is_refused_with_the_files_name() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(written(folder.path())).unwrap();
    let path = folder.path().join("cut.continuo");
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = open(&path).expect_err("a truncated package must be refused");
        assert!(error.to_string().contains("cut.continuo"), "{error}");
    }
}

#[test]
fn every_flipped_byte_is_refused_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(written(folder.path())).unwrap();
    let path = folder.path().join("flipped.continuo");
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x5a;
        std::fs::write(&path, &bytes).unwrap();
        // A flip may hit something without meaning (a time stamp); what opens must hold the true graph.
        if let Ok(package) = open(&path) {
            assert_eq!(package.graphs[&GENERATOR], graph(2.0), "byte {position}");
        }
    }
}

#[test]
fn a_changed_graph_does_not_match_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let json = manifest_json(&written(folder.path())).to_string();
    let other = graph(3.0);
    let path = zipped(folder.path(), &[("model.json", json.as_bytes()), ("LICENCE", b"x"), ("generator.onnx", &other)]);
    assert!(matches!(open(&path), Err(PackageError::HashMismatch { entry, .. }) if entry == "generator.onnx"));
}

#[test]
fn names_that_leave_the_archive_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["../evil", "/etc/passwd", "a/b.onnx", "..\\evil", "C:evil", ".hidden", "a\u{0}b"] {
        let path = zipped(folder.path(), &[(name, b"x")]);
        assert!(matches!(open(&path), Err(PackageError::ForbiddenEntry { .. })), "{name:?}");
    }
    let path = with_manifest(folder.path(), |json| json["graphs"][0]["file"] = "../evil.onnx".into());
    assert!(matches!(open(&path), Err(PackageError::Field { field, .. }) if field == "graphs.generator.file"));
}

#[test]
fn an_unknown_family_is_refused_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = with_manifest(folder.path(), |json| {
        *json = serde_json::json!({"format_version": 2, "architecture": {"family": "theremin"}, "other": true});
    });
    let error = open(&path).unwrap_err();
    assert!(matches!(&error, PackageError::UnknownFamily { family, .. } if family == "theremin"), "{error}");
    assert!(error.to_string().contains("Update Continuo"), "{error}");
    // What this version has not is unknown to it, whatever another one knows.
    assert!(matches!(Package::open(&written(folder.path())), Err(PackageError::UnknownFamily { .. })));
}

#[test]
fn several_levels_of_a_role_lie_in_one_package() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("levels.continuo");
    let shape = Dummy::new(4, 2);
    let mut manifest = manifest();
    manifest.graphs = shape.generators();
    manifest.architecture = Architecture::new(&DUMMY, shape);
    let above = GraphId { level: 1, ..GENERATOR };
    PackageWriter::new(manifest, "x").graph(GENERATOR, graph(2.0)).graph(above, graph(3.0)).write(&path).unwrap();
    let package = open(&path).unwrap();
    assert_eq!((&package.graphs[&GENERATOR], &package.graphs[&above]), (&graph(2.0), &graph(3.0)));
    assert_eq!(package.manifest.graph(above).unwrap().hop_frames, 8);
    assert_eq!(above.to_string(), "generator.1");
}

#[test]
fn a_package_of_format_1_opens_as_if_it_were_of_format_2() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/packages/piano-16k-format1.continuo");
    let package = Package::open(&path).unwrap();
    let manifest = &package.manifest;
    assert_eq!((manifest.format_version, manifest.channels, manifest.sample_rate_hz), (2, 1, 16_000));
    assert_eq!((manifest.signal, manifest.reach), (Signal::MuLaw { levels: 256 }, Reach::Frames { frames: 3_071 }));
    assert_eq!(manifest.architecture.family().tag, "wavenet");
    assert_eq!(manifest.training.steps, 11_000);
    assert_eq!(manifest.training.figure(figures::HELDOUT_FRAMES), Some(524_288.0));
    assert!((manifest.training.figure(figures::HELDOUT_NLL_NATS).unwrap() - 2.394_512_858_965_754_3).abs() < 1e-12);
    assert!((manifest.training.figure(figures::EXPORT_LOGIT_DIFFERENCE).unwrap() - 4.959e-5).abs() < 1e-8);
    assert_eq!(manifest.training.precision_nll_nats.len(), 3);
    // Written again, it is the same model in format 2.
    let folder = tempfile::tempdir().unwrap();
    let again = folder.path().join("again.continuo");
    let step = GraphId::of(GraphRole::Step);
    PackageWriter::new(manifest.clone(), "x").graph(step, package.graphs[&step].clone()).write(&again).unwrap();
    assert_eq!(Package::open(&again).unwrap().manifest, package.manifest);
}

#[test]
fn a_graph_that_is_larger_than_its_weights_is_refused_before_it_unpacks() {
    let folder = tempfile::tempdir().unwrap();
    let json = manifest_json(&written(folder.path())).to_string();
    let zeros = vec![0; 40 << 20];
    let path = zipped(folder.path(), &[("model.json", json.as_bytes()), ("LICENCE", b"x"), ("generator.onnx", &zeros)]);
    assert!(std::fs::metadata(&path).unwrap().len() < 1 << 20);
    assert!(matches!(open(&path), Err(PackageError::TooLarge { entry, .. }) if entry == "generator.onnx"));
}

#[test]
fn a_bomb_is_refused_before_it_unpacks() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![b' '; 5 << 20];
    let path = zipped(folder.path(), &[("model.json", &zeros), ("LICENCE", b"x")]);
    let limit = matches!(open(&path), Err(PackageError::TooLarge { entry, .. }) if entry == "model.json");
    assert!(limit);
}

#[test]
fn a_length_field_that_lies_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(written(folder.path())).unwrap();
    // The uncompressed size in every header of the central directory becomes almost 4 GiB.
    let headers: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..at + 4] == [b'P', b'K', 1, 2]).collect();
    assert_eq!(headers.len(), 4);
    for at in headers {
        bytes[at + 24..at + 28].copy_from_slice(&0xffff_fffe_u32.to_le_bytes());
    }
    let path = folder.path().join("huge.continuo");
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(open(&path), Err(PackageError::TooLarge { .. })));
}

#[test]
fn a_manifest_that_cannot_be_true_names_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let field = |change: fn(&mut serde_json::Value)| match open(&with_manifest(folder.path(), change)) {
        Err(PackageError::Field { field, .. }) => field,
        other => panic!("expected a field error, got {other:?}"),
    };
    assert_eq!(field(|json| json["sample_rate_hz"] = 0.into()), "sample_rate_hz");
    assert_eq!(field(|json| json["channels"] = 9.into()), "channels");
    assert_eq!(field(|json| json["graphs"] = serde_json::json!([])), "graphs.generator");
    assert_eq!(field(|json| json["graphs"][0]["sha256"] = "zz".into()), "graphs.generator.sha256");
    assert_eq!(
        field(|json| json["graphs"][0]["inputs"][0]["shape"] = serde_json::json!([1_i64 << 40, 1_i64 << 40])),
        "graphs.generator.latent"
    );
    assert_eq!(field(|json| json["reach"]["length_frames"] = 0.into()), "reach");
    assert_eq!(field(|json| json["reach"]["length_frames"] = 5.into()), "reach");
    assert_eq!(field(|json| json["defaults"]["temperature"] = (-1).into()), "defaults.temperature");
    assert_eq!(field(|json| json["architecture"]["frames"] = 0.into()), "architecture.frames");
    assert_eq!(field(|json| json["architecture"] = serde_json::json!({"family": "dummy"})), "architecture");
    assert_eq!(field(|json| json["architecture"] = serde_json::json!(["dummy"])), "architecture");
}

#[test]
fn a_newer_format_says_update() {
    let folder = tempfile::tempdir().unwrap();
    let path = with_manifest(folder.path(), |json| *json = serde_json::json!({"format_version": 99, "other": true}));
    let error = open(&path).unwrap_err();
    assert!(matches!(error, PackageError::NewerFormat { found: 99, .. }));
    assert!(error.to_string().contains("Update Continuo"));
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let before = std::fs::read(&path).unwrap();
    let incomplete = PackageWriter::new(manifest(), "x").write(&path);
    assert!(matches!(incomplete, Err(PackageError::Field { .. } | PackageError::MissingEntry { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let nowhere = folder.path().join("no/such/folder/test.continuo");
    let writer = PackageWriter::new(manifest(), "x").graph(GENERATOR, graph(2.0));
    assert!(matches!(writer.write(&nowhere), Err(PackageError::Io { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file may stay");
}

/// The written package with other bytes for its graph, whose hash is right, stored as they are or deflated; its manifest
/// claims as many weights as it likes.
fn with_graph(folder: &Path, name: &str, graph: &[u8], method: zip::CompressionMethod) {
    let mut json = manifest_json(&written(folder));
    json["architecture"]["claimed_weights"] = (1_u64 << 40).into();
    json["graphs"][0]["sha256"] = continuo_package::hash::sha256_hex(graph).into();
    let json = json.to_string();
    let mut zip = zip::ZipWriter::new(std::fs::File::create(folder.join(name)).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes) in [("model.json", json.as_bytes()), ("LICENCE", b"x")] {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.start_file("generator.onnx", options.compression_method(method)).unwrap();
    zip.write_all(graph).unwrap();
    zip.finish().unwrap();
}

const HOSTILE: &str = "CONTINUO_HOSTILE_PACKAGES";

/// An allocation that fails takes the process down, so this has one of its own, with little memory.
#[cfg(target_os = "linux")]
#[test]
fn hostile_packages_are_refused_in_two_gigabytes() {
    use zip::CompressionMethod::{Deflated, Stored};

    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    with_graph(at, "bomb.continuo", &vec![0; 1 << 30], Deflated);
    with_graph(at, "large.continuo", &vec![0; 700 << 20], Stored);
    with_graph(
        at,
        "nodes.continuo",
        &[&[0x3a, 0x80, 0x80, 0x80, 0x10], [0x0a, 0].repeat(1 << 24).as_slice()].concat(),
        Stored,
    );
    let deep = [b"{\"format_version\": 2, \"x\":".as_slice(), &[b'['].repeat(3 << 20)].concat();
    let wide = [b"[0".as_slice(), &b",0".repeat(1_900_000), b"]"].concat();
    for (name, json) in [("deep.continuo", deep), ("wide.continuo", wide)] {
        std::fs::rename(zipped(at, &[("model.json", &json), ("LICENCE", b"x")]), at.join(name)).unwrap();
    }
    let names: Vec<String> = (0..60_000).map(|number| format!("f{number}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    std::fs::rename(zipped(at, &entries), at.join("many.continuo")).unwrap();
    let mut lies = std::fs::read(written(at)).unwrap();
    let end = lies.len() - 22;
    // The directory says that it has 65 535 entries and lies where there is nothing.
    lies[end + 8..end + 20].fill(0xff);
    std::fs::write(at.join("lies.continuo"), lies).unwrap();

    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg("ulimit -v 2000000; exec \"$0\" \"$@\"").arg(std::env::current_exe().unwrap());
    command.args(["--exact", "hostile_packages", "--ignored", "--nocapture", "--test-threads=1"]);
    let output = command.env(HOSTILE, at).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "ended with {}:\n{text}", output.status);
}

#[test]
#[ignore = "runs in a process of its own"]
fn hostile_packages() {
    let folder = PathBuf::from(std::env::var_os(HOSTILE).unwrap());
    let refusal = |name: &str| open(&folder.join(name)).expect_err(name);
    assert!(matches!(refusal("bomb.continuo"), PackageError::TooLarge { .. }));
    assert!(matches!(refusal("large.continuo"), PackageError::Memory { .. }));
    assert!(matches!(refusal("nodes.continuo"), PackageError::Graph { .. }));
    assert!(matches!(refusal("deep.continuo"), PackageError::Manifest { .. }));
    assert!(matches!(refusal("wide.continuo"), PackageError::Manifest { .. }));
    assert!(matches!(refusal("many.continuo"), PackageError::ForbiddenEntry { .. }));
    assert!(matches!(refusal("lies.continuo"), PackageError::NotAnArchive { .. }));
    for name in ["bomb", "large", "nodes", "deep", "wide", "many", "lies"] {
        let name = format!("{name}.continuo");
        let sentence = refusal(&name).to_string();
        assert!(sentence.contains(&name) && sentence.len() < 1_000, "{sentence}");
    }
    assert!(open(&folder.join("test.continuo")).is_ok());
}
