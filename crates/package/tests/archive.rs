//! Packages that are whole, damaged and hostile.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use continuo_package::onnx::{FLOAT, GraphProto, IR_VERSION, ModelProto, NodeProto, OPSET, OperatorSetIdProto};
use continuo_package::onnx::{TensorProto, ValueInfoProto};
use continuo_package::{
    Architecture, ElementType, Family, Generation, GraphRole, GraphSpec, Manifest, Package, PackageError,
    PackageWriter, Quantisation, TensorSpec, TrainingFacts,
};
use prost::Message;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

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
    let tensor = |name: &str| TensorSpec { name: name.into(), element: ElementType::F32, shape: vec![-1, 4] };
    let spec = GraphSpec {
        file: "generator.onnx".into(),
        sha256: String::new(),
        inputs: vec![tensor("latent")],
        outputs: vec![tensor("audio")],
        state: vec![],
    };
    Manifest {
        format_version: 1,
        name: "Test".into(),
        author: "The tests".into(),
        licence: "CC0-1.0".into(),
        family: Family::Gan,
        sample_rate_hz: 16_000,
        channels: 1,
        quantisation: Quantisation::None,
        receptive_field_frames: 4,
        generation: Generation::FixedLength { frames: 4 },
        architecture: Architecture::Graph,
        graphs: BTreeMap::from([(GraphRole::Generator, spec)]),
        training: TrainingFacts::default(),
        run_id: "run".into(),
        trainer_version: "0".into(),
    }
}

fn written(folder: &Path) -> PathBuf {
    let path = folder.join("test.continuo");
    let writer = PackageWriter::new(manifest(), "Do as you like.\n").preview(b"RIFF".to_vec());
    writer.graph(GraphRole::Generator, graph(2.0)).write(&path).unwrap();
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
    serde_json::to_value(Package::open(path).unwrap().manifest).unwrap()
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
    let package = Package::open(&path).unwrap();
    assert_eq!(package.graphs[&GraphRole::Generator], graph(2.0));
    assert_eq!(package.licence, "Do as you like.\n");
    assert_eq!(package.preview.as_deref(), Some(&b"RIFF"[..]));
    assert_eq!(package.manifest.name, "Test");
    assert_eq!(package.content_hash, continuo_package::hash::sha256_hex(&std::fs::read(&path).unwrap()));
    assert_eq!(Package::read_manifest(&path).unwrap(), package.manifest);
}

#[test]
fn equal_content_makes_an_equal_file() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hash = |folder: &Path| Package::open(&written(folder)).unwrap().content_hash;
    assert_eq!(hash(one.path()), hash(two.path()));
}

#[test]
fn every_truncation_is_refused_with_the_files_name() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(written(folder.path())).unwrap();
    let path = folder.path().join("cut.continuo");
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = Package::open(&path).expect_err("a truncated package must be refused");
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
        if let Ok(package) = Package::open(&path) {
            assert_eq!(package.graphs[&GraphRole::Generator], graph(2.0), "byte {position}");
        }
    }
}

#[test]
fn a_changed_graph_does_not_match_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let json = manifest_json(&written(folder.path())).to_string();
    let other = graph(3.0);
    let path = zipped(folder.path(), &[("model.json", json.as_bytes()), ("LICENCE", b"x"), ("generator.onnx", &other)]);
    assert!(matches!(Package::open(&path), Err(PackageError::HashMismatch { entry, .. }) if entry == "generator.onnx"));
}

#[test]
fn names_that_leave_the_archive_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["../evil", "/etc/passwd", "a/b.onnx", "..\\evil", "C:evil", ".hidden", "a\u{0}b"] {
        let path = zipped(folder.path(), &[(name, b"x")]);
        assert!(matches!(Package::open(&path), Err(PackageError::ForbiddenEntry { .. })), "{name:?}");
    }
    let path = with_manifest(folder.path(), |json| json["graphs"]["generator"]["file"] = "../evil.onnx".into());
    assert!(matches!(Package::open(&path), Err(PackageError::Field { field, .. }) if field == "graphs.generator.file"));
}

#[test]
fn a_bomb_is_refused_before_it_unpacks() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![b' '; 5 << 20];
    let path = zipped(folder.path(), &[("model.json", &zeros), ("LICENCE", b"x")]);
    let limit = matches!(Package::open(&path), Err(PackageError::TooLarge { entry, .. }) if entry == "model.json");
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
    assert!(matches!(Package::open(&path), Err(PackageError::TooLarge { .. })));
}

#[test]
fn a_manifest_that_cannot_be_true_names_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let field = |change: fn(&mut serde_json::Value)| match Package::open(&with_manifest(folder.path(), change)) {
        Err(PackageError::Field { field, .. }) => field,
        other => panic!("expected a field error, got {other:?}"),
    };
    assert_eq!(field(|json| json["sample_rate_hz"] = 0.into()), "sample_rate_hz");
    assert_eq!(field(|json| json["channels"] = 9.into()), "channels");
    assert_eq!(field(|json| json["graphs"] = serde_json::json!({})), "graphs");
    assert_eq!(field(|json| json["graphs"]["generator"]["sha256"] = "zz".into()), "graphs.generator.sha256");
    assert_eq!(
        field(|json| json["graphs"]["generator"]["inputs"][0]["shape"] = serde_json::json!([1_i64 << 40, 1_i64 << 40])),
        "graphs.generator.latent"
    );
    assert_eq!(field(|json| json["generation"]["frames"] = 0.into()), "generation.frames");
}

#[test]
fn a_newer_format_says_update() {
    let folder = tempfile::tempdir().unwrap();
    let path = with_manifest(folder.path(), |json| *json = serde_json::json!({"format_version": 99, "other": true}));
    let error = Package::open(&path).unwrap_err();
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
    let writer = PackageWriter::new(manifest(), "x").graph(GraphRole::Generator, graph(2.0));
    assert!(matches!(writer.write(&nowhere), Err(PackageError::Io { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file may stay");
}
