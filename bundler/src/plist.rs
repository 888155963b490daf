//! The two files that make a folder a bundle on macOS.

/// `Contents/PkgInfo`: the type `BNDL` and no creator.
pub const PKG_INFO: &str = "BNDL????";

/// `Contents/Info.plist` for the bundle that is called `extension` ("clap" or "vst3").
///
/// `CFBundleExecutable` names the file in `Contents/MacOS`; the identifier differs between the formats because macOS
/// loads one bundle per identifier.
pub fn info(extension: &str, version: &str) -> String {
    let version = escape(version);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>CFBundleDevelopmentRegion</key>
    <string>en</string>
    <key>CFBundleExecutable</key>
    <string>Continuo</string>
    <key>CFBundleIdentifier</key>
    <string>org.continuo.continuo.{extension}</string>
    <key>CFBundleInfoDictionaryVersion</key>
    <string>6.0</string>
    <key>CFBundleName</key>
    <string>Continuo</string>
    <key>CFBundlePackageType</key>
    <string>BNDL</string>
    <key>CFBundleShortVersionString</key>
    <string>{version}</string>
    <key>CFBundleSignature</key>
    <string>????</string>
    <key>CFBundleVersion</key>
    <string>{version}</string>
    <key>NSHighResolutionCapable</key>
    <true/>
</dict>
</plist>
"#,
        extension = escape(extension)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_formats_have_identifiers_of_their_own() {
        assert!(info("clap", "0.1.0").contains("<string>org.continuo.continuo.clap</string>"));
        assert!(info("vst3", "0.1.0").contains("<string>org.continuo.continuo.vst3</string>"));
    }

    #[test]
    fn text_is_escaped() {
        assert!(info("clap", "1<2&3").contains("<string>1&lt;2&amp;3</string>"));
    }
}
