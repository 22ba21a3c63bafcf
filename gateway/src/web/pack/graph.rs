//! All modules and who imports whom, and packs of a module with what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::module::{Line, Module};
use super::{PackError, PackedFile, lasting, style};

/// How a pack is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By `<script type="module">` or `import()`.
    Module,
    /// By a plain `<script>`.
    Script,
}

/// The modules of a site.
pub(super) struct Graph<'a> {
    sources: &'a BTreeMap<String, String>,
    modules: BTreeMap<String, Module>,
    /// Packs that other packs load later, by the module at which they begin.
    loaded: BTreeMap<String, PackedFile>,
}

impl<'a> Graph<'a> {
    pub(super) fn read(sources: &'a BTreeMap<String, String>) -> Result<Self, PackError> {
        let mut modules = BTreeMap::new();
        for (path, text) in sources.iter().filter(|(path, _)| path.ends_with(".js")) {
            modules.insert(path.clone(), Module::read(path, text)?);
        }
        for module in modules.values() {
            if let Some(path) = module.imports().find(|path| !modules.contains_key(*path)) {
                return Err(PackError::Missing { by: module.path.clone(), path: path.to_owned() });
            }
        }
        Ok(Self { sources, modules, loaded: BTreeMap::new() })
    }

    /// One script of a module and all that it imports. Each module is a function that is run once and
    /// gives what it exports; the first one's own code comes last, as it stands.
    pub(super) fn pack(&mut self, entry: &str, kind: Kind) -> Result<String, PackError> {
        let mut order = Vec::new();
        self.visit(entry, entry, &mut Vec::new(), &mut order)?;
        self.load(&order)?;
        let number: BTreeMap<&str, usize> = order.iter().enumerate().map(|(at, path)| (path.as_str(), at)).collect();
        let mut pack = String::new();
        if kind == Kind::Script {
            pack.push_str("(() => {\n'use strict';\n");
        }
        for path in &order {
            let module = &self.modules[path];
            if path == entry {
                self.write(&mut pack, module, &number, kind == Kind::Module)?;
            } else {
                _ = writeln!(pack, "const {} = (() => {{", variable(number[path.as_str()]));
                self.write(&mut pack, module, &number, false)?;
                _ = writeln!(pack, "return {{ {} }};\n}})();", module.exports().join(", "));
            }
        }
        if kind == Kind::Script {
            pack.push_str("})();\n");
        }
        let unfit = match kind {
            Kind::Script if pack.contains("import.meta") => "a plain script has no `import.meta`",
            Kind::Script if !self.modules[entry].exports().is_empty() => "a plain script exports nothing",
            _ => return Ok(pack),
        };
        Err(PackError::File { path: entry.to_owned(), why: unfit })
    }

    /// The packs that others load.
    pub(super) fn take_loaded(&mut self) -> Vec<PackedFile> {
        std::mem::take(&mut self.loaded).into_values().collect()
    }

    /// Puts a module behind all that it imports.
    fn visit(&self, by: &str, path: &str, open: &mut Vec<String>, order: &mut Vec<String>) -> Result<(), PackError> {
        if order.iter().any(|known| known == path) {
            return Ok(());
        }
        if open.iter().any(|known| known == path) {
            return Err(PackError::Circle(path.to_owned()));
        }
        let missing = || PackError::Missing { by: by.to_owned(), path: path.to_owned() };
        let module = self.modules.get(path).ok_or_else(missing)?;
        open.push(path.to_owned());
        for import in module.imports() {
            self.visit(path, import, open, order)?;
        }
        open.pop();
        order.push(path.to_owned());
        Ok(())
    }

    /// Makes the packs that these modules ask the addresses of; a picture is a file as it is.
    fn load(&mut self, order: &[String]) -> Result<(), PackError> {
        let mut wanted = BTreeSet::new();
        for line in order.iter().flat_map(|path| &self.modules[path].lines) {
            if let Line::Code { loads, .. } = line {
                wanted.extend(loads.iter().map(|load| load.path.clone()));
            }
        }
        for path in wanted {
            if path.ends_with(".js") && !self.loaded.contains_key(&path) {
                let content = self.pack(&path, Kind::Module)?;
                let name = format!("packs/{}", path.replace('/', "-"));
                self.loaded.insert(path, PackedFile { name, content });
            }
        }
        Ok(())
    }

    fn write(
        &self,
        pack: &mut String,
        module: &Module,
        number: &BTreeMap<&str, usize>,
        exports: bool,
    ) -> Result<(), PackError> {
        for line in &module.lines {
            match line {
                Line::Comment(_) => {}
                Line::Import { names, from } => {
                    let names: Vec<_> = names.iter().map(|name| renamed(&name.there, ": ", &name.here)).collect();
                    _ = writeln!(pack, "const {{ {} }} = {};", names.join(", "), variable(number[from.as_str()]));
                }
                Line::Text { name, from } => {
                    let missing = || PackError::Missing { by: module.path.clone(), path: from.clone() };
                    let text = style::packed(from, self.sources.get(from).ok_or_else(missing)?)?;
                    // Every text in JSON's quotes is one in JavaScript's.
                    _ = writeln!(pack, "const {name} = {};", serde_json::Value::from(text));
                }
                Line::Export { declaration, .. } if exports => _ = writeln!(pack, "export {declaration}"),
                Line::Export { declaration, .. } => _ = writeln!(pack, "{declaration}"),
                Line::Exports(names) if exports => _ = writeln!(pack, "export {{ {} }};", names.join(", ")),
                Line::Exports(_) => {}
                Line::Code { text, loads } => {
                    let mut text = text.clone();
                    for load in loads {
                        let name = match (self.loaded.get(&load.path), self.sources.get(&load.path)) {
                            (Some(pack), _) => lasting(&pack.name, &pack.content),
                            (None, Some(source)) => lasting(&load.path, source),
                            (None, None) => {
                                return Err(PackError::Missing { by: module.path.clone(), path: load.path.clone() });
                            }
                        };
                        text = text.replace(&load.call, &format!("'/web/{name}'"));
                    }
                    // No text has several lines: what stands before one means nothing.
                    _ = writeln!(pack, "{}", text.trim());
                }
            }
        }
        Ok(())
    }
}

/// What the module with this number in a pack exports.
fn variable(number: usize) -> String {
    format!("$module{number}")
}

fn renamed(there: &str, between: &str, here: &str) -> String {
    if there == here { here.to_owned() } else { format!("{there}{between}{here}") }
}
