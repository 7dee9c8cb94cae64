//! Names, certificates and files.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::name::certificate_name;
use crate::tests::support::authority;
use crate::{CertificateAuthority, CredentialError, Identity, NameError, PeerName};

#[test]
fn names_are_strict() {
    let name = PeerName::new("c", "eu-west.1", "node_7").unwrap();
    assert_eq!(name.to_string(), "anabranch://c/eu-west.1/node_7");
    assert_eq!(PeerName::parse(&name.to_string()).unwrap(), name);
    let long = "x".repeat(65);
    for bad in ["", ".", "..", "a/b", "a b", "ä", "a\n", long.as_str()] {
        let error = PeerName::new("c", bad, "n").unwrap_err();
        assert!(matches!(error, NameError::Part { part: "region", .. }), "{bad:?}");
    }
    for bad in [
        "",
        "anabranch://",
        "anabranch://a/b",
        "anabranch://a/b/c/d",
        "anabranch://a/b/c/",
        "anabranch:///a/b",
        "ANABRANCH://a/b/c",
        "https://a/b/c",
    ] {
        assert!(PeerName::parse(bad).is_err(), "{bad:?}");
    }
    assert!(CertificateAuthority::create("a/b").is_err());
    assert!(authority().issue("eu", "../../etc").is_err());
}

#[test]
fn authority_and_node_survive_files() {
    let dir = tempfile::tempdir().unwrap();
    let certs = dir.path().join("certs");
    let made = CertificateAuthority::create("demo").unwrap();
    let (ca_path, ca_key) = made.write_ca(&certs).unwrap();
    assert_eq!((ca_path.file_name(), ca_key.file_name()), (Some("ca.pem".as_ref()), Some("ca.key".as_ref())));

    let again = CertificateAuthority::load(&certs).unwrap();
    assert_eq!((again.cluster(), again.cert_pem()), ("demo", made.cert_pem()));
    let node = again.issue("eu", "a").unwrap();
    let (cert, key) = node.write_node(&certs).unwrap();
    let identity = Identity::load(&ca_path, &cert, &key).unwrap();
    assert_eq!(identity.name(), &PeerName::new("demo", "eu", "a").unwrap());
    assert!(!format!("{made:?}{node:?}{identity:?}").contains("PRIVATE"));

    let before = fs::read(&ca_key).unwrap();
    let other = CertificateAuthority::create("demo").unwrap();
    let error = other.write_ca(&certs).unwrap_err();
    assert!(matches!(&error, CredentialError::Exists(path) if *path == ca_key), "{error}");
    assert_eq!(fs::read(&ca_key).unwrap(), before);
    assert!(matches!(node.write_node(&certs), Err(CredentialError::Exists(_))));

    // A certificate in the way: the key written first is taken back.
    fs::remove_file(&key).unwrap();
    assert!(matches!(node.write_node(&certs), Err(CredentialError::Exists(path)) if path == cert));
    assert!(!key.exists());
}

#[cfg(unix)]
#[test]
fn private_keys_stay_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (ca, ca_key) = authority().write_ca(dir.path()).unwrap();
    let (cert, key) = authority().issue("eu", "a").unwrap().write_node(dir.path()).unwrap();
    for path in [&ca_key, &key] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let error = Identity::load(&ca, &cert, &key).unwrap_err();
        assert!(matches!(&error, CredentialError::KeyMode { path, mode: m } if *path == key && *m == mode));
        assert!(error.to_string().contains(key.to_str().unwrap()), "{error}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    Identity::load(&ca, &cert, &key).unwrap();
    fs::set_permissions(&ca_key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(CertificateAuthority::load(dir.path()), Err(CredentialError::KeyMode { .. })));
}

#[test]
fn bad_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, _) = authority().write_ca(dir.path()).unwrap();
    let (cert, key) = authority().issue("eu", "a").unwrap().write_node(dir.path()).unwrap();
    let missing = dir.path().join("missing.pem");
    let names = |error: CredentialError, path: &Path| {
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
    };
    names(Identity::load(&missing, &cert, &key).unwrap_err(), &missing);
    names(Identity::load(&ca, &missing, &key).unwrap_err(), &missing);
    names(Identity::load(&ca, &cert, &missing).unwrap_err(), &missing);
    // A key where a certificate should be, and the other way round.
    names(Identity::load(&ca, &key, &key).unwrap_err(), &key);
    names(Identity::load(&ca, &ca, &key).unwrap_err(), &ca);
    let garbage = dir.path().join("garbage.pem");
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for text in ["", "garbage", pem, &"x".repeat(100_000)] {
        fs::write(&garbage, text).unwrap();
        names(Identity::load(&garbage, &cert, &key).unwrap_err(), &garbage);
        names(Identity::load(&ca, &garbage, &key).unwrap_err(), &garbage);
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let ours = authority();
    let other = CertificateAuthority::create("test").unwrap();
    let a = ours.issue("eu", "a").unwrap();
    let b = ours.issue("eu", "b").unwrap();
    let load = |ca: &CertificateAuthority, cert: &str, key: &str| {
        Identity::from_pem(ca.cert_pem().as_bytes(), cert.as_bytes(), key.as_bytes())
    };
    load(ours, &a.cert_pem, &a.key_pem).unwrap();
    let error = load(ours, &a.cert_pem, &b.key_pem).unwrap_err();
    assert!(matches!(error, CredentialError::KeyMismatch { .. }), "{error}");
    let error = load(&other, &a.cert_pem, &a.key_pem).unwrap_err();
    assert!(matches!(error, CredentialError::NotAccepted { .. }), "{error}");
    let error = CertificateAuthority::from_pem(ours.cert_pem(), other.key_pem()).unwrap_err();
    assert!(matches!(error, CredentialError::KeyMismatch { .. }), "{error}");
    // A node's certificate is no authority, an authority's is no node.
    assert!(CertificateAuthority::from_pem(&a.cert_pem, &a.key_pem).is_err());
    assert!(load(ours, ours.cert_pem(), ours.key_pem()).is_err());

    let day = Duration::from_secs(24 * 3600);
    let past = SystemTime::now() - 10 * day;
    let expired = ours.issue_valid("eu", "a", past, day).unwrap();
    let error = load(ours, &expired.cert_pem, &expired.key_pem).unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn a_certificate_states_one_name() {
    let read = |uris: &[&str]| {
        let mut params = rcgen::CertificateParams::default();
        params.subject_alt_names = uris.iter().map(|uri| rcgen::SanType::URI((*uri).try_into().unwrap())).collect();
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        certificate_name(certificate.der())
    };
    assert_eq!(read(&["anabranch://c/r/n"]).unwrap().node, "n");
    for bad in [
        &[][..],
        &["anabranch://c/r"],
        &["https://c/r/n"],
        &["anabranch://c/r/n", "anabranch://c/r/m"],
        &["https://example.org", "anabranch://c/r/n"],
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
    assert!(certificate_name(&vec![0x30; 40].into()).is_err());
}
