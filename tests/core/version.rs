//! Version tags.

use phasebot_core::domain::version;
use proptest::prelude::*;

#[test]
fn final_versions_and_their_packages() {
    for (tag, name, number) in [
        ("v1.2.3", "", "1.2.3"),
        ("V1.2.3", "", "1.2.3"),
        ("1.2.3", "", "1.2.3"),
        ("v1.2.3+build.5", "", "1.2.3+build.5"),
        ("web-v0.7.1", "web", "0.7.1"),
        ("shop-1.2.3", "shop", "1.2.3"),
        ("my-web-app-v1.2.3", "my-web-app", "1.2.3"),
        ("shop-2-1.2.3", "shop-2", "1.2.3"),
        ("pkg/v1.2.3", "pkg", "1.2.3"),
        ("libs/pkg/v1.2.3", "libs/pkg", "1.2.3"),
        ("pkg@1.2.3", "pkg", "1.2.3"),
        ("@scope/pkg@1.2.3", "@scope/pkg", "1.2.3"),
        ("@scope/pkg-v1.2.3", "@scope/pkg", "1.2.3"),
        ("shop_v1.2.3", "shop", "1.2.3"),
    ] {
        let found = version::parse(tag).unwrap_or_else(|| panic!("{tag} names a version"));
        assert_eq!((found.name, found.semver.to_string().as_str()), (name, number), "{tag}");
        assert!(found.is_final() && version::is_final(tag), "{tag}");
        assert!(!version::is_prerelease(tag) && !version::is_floating(tag), "{tag}");
    }
}

#[test]
fn versions_that_are_not_final() {
    for tag in [
        "v1.2.3-rc.1",
        "web-v1.0.0-rc.1",
        "vscode-1.2.3-rc.1",
        "pkg/v1.2.3-beta",
        "@scope/pkg@2.0.0-next.4",
        "web-1.0.0-2.0.0",
        "nightly-2026.3.1",
        "web/nightly-2026.3.1",
        "rc/v1.2.3",
    ] {
        assert!(version::is_prerelease(tag), "{tag}");
        assert!(!version::is_final(tag) && !version::is_floating(tag), "{tag}");
    }
}

#[test]
fn floating_tags() {
    for tag in ["v1", "1", "v1.2", "1.2", "latest", "Latest", "web-v1", "web-v1.2", "pkg/v1", "pkg@1", "web-latest"] {
        assert!(version::is_floating(tag), "{tag}");
        assert_eq!(version::parse(tag), None, "{tag}");
    }
}

#[test]
fn other_tags_name_no_version_and_do_not_float() {
    for tag in [
        "",
        "v",
        "-",
        "@",
        "release",
        "nightly",
        "nightly-3",
        "2024-spring",
        "build-42",
        "2024-1",
        "v01.2.3",
        "v1.2.3.4",
        "-v1.2.3",
        "@1.2.3",
        "web-",
        "1..2",
        "v1.",
        "web-v1.2.x",
    ] {
        assert_eq!(version::parse(tag), None, "{tag}");
        assert!(!version::is_floating(tag), "{tag}");
    }
}

/// Tags made of characters that the parser interprets.
fn tag() -> impl Strategy<Value = String> {
    let pieces = vec!["v", "V", "1", "0", "10", ".", "-", "/", "@", "_", "+", "web", "rc", "latest", "1.2.3", "v2.0.0"];
    let piece = prop_oneof![4 => prop::sample::select(pieces).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_tag_is_final_or_a_prerelease_or_floating_or_none_of_them(tag in tag()) {
        let said = [version::is_final(&tag), version::is_prerelease(&tag), version::is_floating(&tag)];
        prop_assert!(said.iter().filter(|said| **said).count() <= 1, "{tag} {said:?}");
        prop_assert_eq!(version::parse(&tag).is_some(), said[0] || said[1]);
    }

    #[test]
    fn what_is_read_is_what_is_there(tag in tag()) {
        if let Some(found) = version::parse(&tag) {
            prop_assert!(tag.starts_with(found.name));
            let written = found.semver.to_string();
            prop_assert!(tag.ends_with(&written), "{} of {}", written, tag);
            // Between the two there is a separator, and perhaps the letter.
            let between = &tag[found.name.len()..tag.len() - written.len()];
            prop_assert!(found.name.is_empty() || between.starts_with(['-', '/', '@', '_']), "{between}");
            prop_assert!(between.trim_start_matches(['-', '/', '@', '_']).len() <= 1, "{}", between);
        }
    }

    #[test]
    fn every_package_and_version_is_read_back(
        name in "(@[a-z]{1,8}/)?[a-z]([a-z-]{0,10}[a-z])?",
        separator in prop::sample::select(vec!["-", "/", "@", "_"]),
        letter in prop::sample::select(vec!["", "v"]),
        (major, minor, patch) in any::<(u64, u64, u64)>(),
    ) {
        let tag = format!("{name}{separator}{letter}{major}.{minor}.{patch}");
        let found = version::parse(&tag).unwrap();
        prop_assert_eq!(found.name, name);
        prop_assert_eq!(found.semver, semver::Version::new(major, minor, patch));
    }
}
