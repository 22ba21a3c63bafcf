//! The Dockerfile builds from what is there, by the Rust that the sources ask for, and ends in a program that is not
//! root, stops as the node does and looks after itself. No image is built here.

use std::path::Path;

use super::{refused, text};
use tests::source::{self, File};

const PROGRAM: &str = "/usr/local/bin/tertulia";

struct Image {
    /// Name and arguments of each instruction, in order.
    steps: Vec<(String, String)>,
    /// What .dockerignore lets through.
    context: Vec<String>,
}

impl Image {
    fn read(dockerfile: &str, ignored: &str) -> Self {
        let mut steps = Vec::new();
        let mut step = String::new();
        for line in dockerfile.lines().filter(|line| !line.starts_with('#')) {
            match line.strip_suffix('\\') {
                Some(part) => step.push_str(part),
                None => {
                    step.push_str(line);
                    if let Some((name, rest)) = step.split_once(' ') {
                        steps.push((name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" ")));
                    }
                    step.clear();
                }
            }
        }
        let context = ignored.lines().filter_map(|line| line.strip_prefix('!')).map(str::to_owned).collect();
        Self { steps, context }
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.steps.iter().filter(move |step| step.0 == name).map(|step| step.1.as_str())
    }

    fn last(&self, name: &str) -> &str {
        self.all(name).last().unwrap_or_default()
    }

    /// What comes from the repository.
    fn copied(&self) -> Vec<&str> {
        let copies = self.all("COPY").filter(|copy| !copy.starts_with("--from"));
        copies.flat_map(|copy| copy.rsplit_once(' ').map_or("", |(from, _)| from).split(' ')).collect()
    }
}

fn complaints(image: &Image, files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut must = |holds: bool, words: &str| {
        if !holds {
            complaints.push(words.to_owned());
        }
    };
    let copied = image.copied();
    for path in &copied {
        must(source::root().join(path).exists(), &format!("{path} is not there"));
        must(image.context.iter().any(|through| through == path), &format!("{path} is held back by .dockerignore"));
    }
    let has = |path: &str| copied.iter().any(|from| path == *from || path.starts_with(&format!("{from}/")));
    let workspace: toml::Table = text("Cargo.toml").parse().unwrap();
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        must(has(member), &format!("{member} is not copied"));
    }
    for path in ["Cargo.toml", "Cargo.lock"].map(str::to_owned).into_iter().chain(included(files)) {
        must(has(&path), &format!("{path} is compiled in and not copied"));
    }

    let rust = workspace["workspace"]["package"]["rust-version"].as_str().unwrap();
    let base = image.all("ARG").find_map(|arg| arg.strip_prefix("RUST_IMAGE=")).unwrap_or_default();
    must(base.starts_with(&format!("rust:{rust}.")) && !base.contains("latest"), "it is not built by this Rust");
    let build = image.all("RUN").find(|run| run.contains("cargo build")).unwrap_or_default();
    for part in ["--release", "--locked", "--bin tertulia", PROGRAM] {
        must(build.contains(part), &format!("the build does without {part}"));
    }
    must(image.all("ENV").any(|env| env.contains("SOURCE_DATE_EPOCH")), "two builds differ by their dates");

    let user: Vec<Result<u32, _>> = image.last("USER").split(':').map(str::parse).collect();
    must(user.len() == 2 && user.iter().all(|id| matches!(id, Ok(id) if *id >= 1_000)), "its user is not a number");
    let owner = image.last("USER").replace(':', " -g ");
    must(build.contains(&format!("-o {owner} ")), "the data's folder is not its user's");
    must(image.last("STOPSIGNAL") == "SIGTERM", "it is not asked to drain");
    must(image.last("ENTRYPOINT") == format!("[\"{PROGRAM}\"]"), "it does not run the program");
    let health = image.last("HEALTHCHECK");
    must(health.ends_with(&format!("CMD [\"{PROGRAM}\", \"health\"]")), "nothing in the image can look after it");

    let set: Vec<(&str, &str)> = image.last("ENV").split(' ').filter_map(|one| one.split_once('=')).collect();
    let refusal = refused(set.iter().copied());
    must(refusal.is_none(), &format!("a node does not start so: {refusal:?}"));
    let of = |name: &str| set.iter().find(|(set, _)| *set == name).map_or("", |(_, value)| value);
    must(Path::new(of("TERTULIA_DATA")).starts_with(image.last("VOLUME")), "data is in no volume");
    must(image.last("WORKDIR") == image.last("VOLUME"), "temporary files are not in the volume");
    let ports = ["TERTULIA_LISTEN", "TERTULIA_METRICS_LISTEN"].map(|name| of(name).rsplit(':').next().unwrap_or("-"));
    must(image.last("EXPOSE") == ports.join(" "), "it listens elsewhere than it says");
    complaints
}

/// Files outside of their crates' own folders that are compiled in.
fn included(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs") && !file.path.starts_with("tests/")) {
        for part in file.text.split("include_str!(\"").skip(1).chain(file.text.split("include_bytes!(\"").skip(1)) {
            let path = part.split('"').next().unwrap_or_default();
            let mut place: Vec<&str> = file.path.split('/').collect();
            place.pop();
            for step in path.split('/') {
                match step {
                    ".." => drop(place.pop()),
                    step => place.push(step),
                }
            }
            found.push(place.join("/"));
        }
    }
    found
}

#[test]
fn the_image_is_built_from_what_is_there_and_is_not_root() {
    let (dockerfile, ignored) = (text("deploy/docker/Dockerfile"), text(".dockerignore"));
    let files = source::files().unwrap();
    assert!(included(&files).iter().any(|path| path == "README.md"));
    assert_eq!(complaints(&Image::read(&dockerfile, &ignored), &files), Vec::<String>::new());
    for (good, bad) in [
        ("rust:1.95", "rust:1.80"),
        ("COPY schema schema", "COPY schemas schemas"),
        ("COPY actors actors\n", ""),
        ("Cargo.lock README.md", "Cargo.lock"),
        (" --locked", ""),
        ("USER 10001:10001", "USER root"),
        ("USER 10001:10001", "USER 0:0"),
        ("-o 10001", "-o 10002"),
        ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL"),
        ("\"health\"", "\"healthy\""),
        ("TERTULIA_LISTEN", "TERTULIA_LISTN"),
        ("TERTULIA_DATA=/var/lib/tertulia/data", "TERTULIA_DATA=/data"),
        ("EXPOSE 8080 9100", "EXPOSE 80 9100"),
    ] {
        assert!(dockerfile.contains(good), "{good}");
        let planted = Image::read(&dockerfile.replace(good, bad), &ignored);
        assert_ne!(complaints(&planted, &files), Vec::<String>::new(), "{good} -> {bad}");
    }
    let held = Image::read(&dockerfile, &ignored.replace("!engine\n", ""));
    assert_ne!(complaints(&held, &files), Vec::<String>::new());
}
