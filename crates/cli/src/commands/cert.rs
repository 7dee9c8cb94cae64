//! `cert`: who is a node, and of which cluster.

use crate::args::{CertArgs, CertCommand, InitArgs, IssueArgs};
use crate::failure::Failure;
use crate::output;
use anabranch_transport::{CertificateAuthority, CredentialError};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(args: CertArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        CertCommand::Init(args) => init(&args),
        CertCommand::Issue(args) => issue(&args),
    }
}

fn init(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let authority = CertificateAuthority::create(&args.cluster).map_err(failure)?;
    let (cert, key) = authority.write_ca(&args.dir).map_err(failure)?;
    output::line(&format!("wrote {}: every node needs it", cert.display()))?;
    output::line(&format!("wrote {}: no node needs it, keep it secret", key.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn issue(args: &IssueArgs) -> anyhow::Result<ExitCode> {
    let authority = CertificateAuthority::load(&args.dir).map_err(|error| no_authority(error, &args.dir))?;
    let node = args.name.as_deref().unwrap_or(&args.region);
    let certificate = authority.issue(&args.region, node).map_err(failure)?;
    let (cert, key) = certificate.write_node(&args.dir).map_err(failure)?;
    output::line(&format!("wrote {}: {}", cert.display(), certificate.name))?;
    output::line(&format!("wrote {}: for that node only, keep it secret", key.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn no_authority(error: CredentialError, dir: &Path) -> Failure {
    let missing =
        matches!(&error, CredentialError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
    if !missing {
        return failure(error);
    }
    let next = format!("make an authority first: anabranch cert init --dir {} --cluster NAME", dir.display());
    Failure::failed(error.to_string()).state("nothing was written").next(next)
}

fn failure(error: CredentialError) -> Failure {
    match error {
        CredentialError::Name(error) => Failure::usage(error.to_string()).state("nothing was written"),
        CredentialError::Exists(_) => Failure::failed(error.to_string()).state("nothing was written"),
        other => Failure::failed(other.to_string()),
    }
}
