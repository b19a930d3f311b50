//! Catalogues of mutants, as `mutants/*.toml` has them. What each word means is told in `mutants/causal.toml`.

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// The catalogue that is run where none is named.
const DEFAULT: &str = "sim";

/// A catalogue, and what its mutants have in common.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    /// The command that builds all that the others run.
    pub build: String,
    /// The command that must fail for a mutant that names none of its own.
    caught_by: Option<String>,
    /// Or the most seeds that are played in one run,
    seeds: Option<u64>,
    /// beginning so much later than where runs begin,
    #[serde(default)]
    pub from: u64,
    /// and by whom.
    pub player: Option<String>,
    /// The command that is to fail where no seed finds anything.
    pub otherwise: Option<String>,
    /// How long a command may take; one that takes longer has failed.
    pub seconds: u64,
    /// The mutants.
    #[serde(rename = "mutant")]
    pub mutants: Vec<Mutant>,
}

/// One breakage.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    /// Its name.
    pub name: String,
    /// The file that it breaks, from the root of the workspace.
    pub file: String,
    /// What is replaced,
    pub find: String,
    /// and by what.
    pub replace: String,
    /// The rule that is left out.
    pub breaks: String,
    /// The command that must fail, if it is another than the catalogue's.
    caught_by: Option<String>,
}

/// Who catches a mutant.
pub(crate) enum Catcher {
    /// A command that fails.
    Command(String),
    /// The simulator, within so many seeds.
    Seeds(u64),
}

impl Catalogue {
    /// Who catches one of the mutants.
    ///
    /// # Errors
    /// Where the catalogue does not say.
    pub(crate) fn catcher(&self, mutant: &Mutant) -> Result<Catcher> {
        match (mutant.caught_by.as_ref().or(self.caught_by.as_ref()), self.seeds) {
            (Some(command), _) => Ok(Catcher::Command(command.clone())),
            (None, Some(seeds)) => Ok(Catcher::Seeds(seeds)),
            (None, None) => bail!("nobody is said to catch {}", mutant.name),
        }
    }
}

/// The catalogues of a workspace, each with those mutants alone that are wanted.
///
/// # Errors
/// Where one cannot be read, or a name is none of theirs.
pub(crate) fn choose(root: &Path, names: &[String]) -> Result<Vec<Catalogue>> {
    let wanted = if names.is_empty() { &[DEFAULT.to_owned()][..] } else { names };
    let mut missing: BTreeSet<&String> = wanted.iter().collect();
    let mut chosen = Vec::new();
    let folder = root.join("mutants");
    let listed = folder.read_dir().with_context(|| folder.display().to_string())?;
    let mut paths = listed.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path)?;
        let mut catalogue: Catalogue = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let names: BTreeSet<&str> = catalogue.mutants.iter().map(|mutant| mutant.name.as_str()).collect();
        ensure!(names.len() == catalogue.mutants.len(), "{}: two mutants have one name", path.display());
        let stem = path.file_stem().unwrap_or_default();
        let is_whole = wanted.iter().any(|name| stem == name.as_str());
        catalogue.mutants.retain(|mutant| is_whole || wanted.contains(&mutant.name));
        missing.retain(|name| {
            stem != name.as_str() && !catalogue.mutants.iter().any(|mutant| mutant.name == **name)
        });
        if !catalogue.mutants.is_empty() {
            chosen.push(catalogue);
        }
    }
    ensure!(missing.is_empty(), "no catalogue and no mutant is called {missing:?}");
    Ok(chosen)
}
