//! Commands on nodes and clusters.

use super::{Connection, Output};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// `serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch serve --config eu.toml
  anabranch serve --config eu.toml --data-dir /var/lib/anabranch --log debug
  ANABRANCH_HTTP=127.0.0.1:8080 anabranch serve --config eu.toml

A flag overrides its environment variable, that the file, that the default.
SIGTERM and Ctrl-C end it: what was acknowledged is on disk.")]
pub(crate) struct ServeArgs {
    /// The configuration file (TOML)
    #[arg(long, env = "ANABRANCH_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Where the data lives, instead of the file's `data_dir`
    #[arg(long, env = "ANABRANCH_DATA_DIR", hide_env_values = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The UDP address for peers, instead of the file's `quic`
    #[arg(long, env = "ANABRANCH_QUIC", hide_env_values = true, value_name = "ADDR:PORT")]
    pub(crate) quic: Option<std::net::SocketAddr>,
    /// The TCP address of the API, instead of the file's `http`
    #[arg(long, env = "ANABRANCH_HTTP", hide_env_values = true, value_name = "ADDR:PORT")]
    pub(crate) http: Option<std::net::SocketAddr>,
}

/// `cert`
#[derive(Debug, Args)]
pub(crate) struct CertArgs {
    /// What to make.
    #[command(subcommand)]
    pub(crate) command: CertCommand,
}

/// `cert …`
#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Make the certificate authority of a new cluster: ca.pem and ca.key
    Init(InitArgs),
    /// Make a node's certificate and key: NODE.pem and NODE.key
    Issue(IssueArgs),
}

/// `cert init`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch cert init --dir certs --cluster shop

Whoever has ca.key can add nodes to the cluster: keep it off the nodes.")]
pub(crate) struct InitArgs {
    /// Where to write; made if missing
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The cluster's name
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: String,
}

/// `cert issue`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch cert issue --dir certs --region eu-west
  anabranch cert issue --dir certs --region eu-west --name eu-west-2")]
pub(crate) struct IssueArgs {
    /// Where ca.pem and ca.key are, and where to write
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The node's region
    #[arg(long, value_name = "REGION")]
    pub(crate) region: String,
    /// The node's name, unique in the cluster [default: the region]
    #[arg(long, value_name = "NODE")]
    pub(crate) name: Option<String>,
}

/// `status`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch status
  anabranch status --url http://127.0.0.1:7502 -o json")]
pub(crate) struct StatusArgs {
    /// How to show it.
    #[command(flatten)]
    pub(crate) output: Output,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch verify --url http://127.0.0.1:7501 --url http://127.0.0.1:7502
  anabranch verify --regions eu-west=http://127.0.0.1:7501,us-east=http://127.0.0.1:7502 --timeout 2m

Waits until all have applied the same transactions, then compares what they hold.
Exit codes: 0 equal, 1 different, 3 a region is missing or behind.")]
pub(crate) struct VerifyArgs {
    /// A node's HTTP address; repeat it for each
    #[arg(long, value_name = "URL", required_unless_present = "regions", conflicts_with = "regions")]
    pub(crate) url: Vec<String>,
    /// The nodes with the region that each must be of
    #[arg(long, value_name = "REGION=URL,...", value_delimiter = ',')]
    pub(crate) regions: Vec<NamedUrl>,
    /// How long to wait for them to become equal, such as 500ms, 30s or 2m
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) timeout: Span,
    /// How to show it.
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `REGION=URL`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedUrl {
    /// The region that the node must be of.
    pub(crate) region: String,
    /// Its HTTP address.
    pub(crate) url: String,
}

impl FromStr for NamedUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((region, url)) if !region.is_empty() && url.contains("://") => {
                Ok(Self { region: region.to_owned(), url: url.to_owned() })
            }
            _ => Err("expected REGION=URL, such as eu-west=http://127.0.0.1:7501".to_owned()),
        }
    }
}

/// A duration as people write it: an integer and a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit_ms = match &text[digits.len()..] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            _ => return Err("expected an integer with a unit, such as 500ms, 30s or 2m".to_owned()),
        };
        let count: u64 = digits.parse().map_err(|_| format!("{digits:?} is not an integer"))?;
        let ms = count.checked_mul(unit_ms).ok_or_else(|| "that is too long".to_owned())?;
        Ok(Self(Duration::from_millis(ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::{NamedUrl, Span};
    use std::time::Duration;

    #[test]
    fn durations_have_units() {
        assert_eq!("250ms".parse(), Ok(Span(Duration::from_millis(250))));
        assert_eq!("2s".parse(), Ok(Span(Duration::from_secs(2))));
        assert_eq!("2m".parse(), Ok(Span(Duration::from_secs(120))));
        for bad in ["", "2", "s", "-2s", "1.5s", "2 s", "2h", "99999999999999999999s", "9999999999999999999m", "2sm"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn regions_have_addresses() {
        let parsed = "eu=http://127.0.0.1:1".parse::<NamedUrl>();
        assert_eq!(parsed, Ok(NamedUrl { region: "eu".to_owned(), url: "http://127.0.0.1:1".to_owned() }));
        for bad in ["", "eu", "=http://x", "http://127.0.0.1:1"] {
            assert!(bad.parse::<NamedUrl>().is_err(), "{bad:?}");
        }
    }
}
