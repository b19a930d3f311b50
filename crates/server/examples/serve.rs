//! A node for trying things out: `serve ID ADDR DIR [--join ADDR] [--fsync POLICY] [--shards N]`.

use std::process::ExitCode;

use server::Config;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Some(config) = configuration() else {
        tracing::error!("serve ID ADDR DIR [--join ADDR] [--fsync POLICY] [--shards N]");
        return ExitCode::FAILURE;
    };
    match server::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn configuration() -> Option<Config> {
    let mut words = std::env::args().skip(1);
    let (id, addr, dir) = (words.next()?, words.next()?, words.next()?);
    let mut config = Config { id, client_addr: addr.parse().ok()?, dir: dir.into(), ..Config::default() };
    while let Some(flag) = words.next() {
        let value = words.next()?;
        match flag.as_str() {
            "--join" => config.join = Some(value),
            "--fsync" => config.fsync = value.parse().ok()?,
            "--shards" => config.shards = Some(value.parse().ok()?),
            _ => return None,
        }
    }
    Some(config)
}
