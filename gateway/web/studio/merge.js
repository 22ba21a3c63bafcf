// Brings two changes of one profile together, field by field.
// Invariant: pure; what only one side changed is never asked about, what both changed always is.

/** Every setting with its path; a list counts as one setting. */
function* leaves(value, path = []) {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    for (const [name, inner] of Object.entries(value)) yield* leaves(inner, [...path, name]);
  } else {
    yield path.join('.');
  }
}

export function read(profile, path) {
  return path.split('.').reduce((value, name) => value?.[name], profile);
}

/** A copy with one setting changed. */
export function written(profile, path, value) {
  const [name, ...rest] = path.split('.');
  const inner = rest.length ? written(profile?.[name] ?? {}, rest.join('.'), value) : value;
  return { ...profile, [name]: inner };
}

export function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Paths of the settings that differ. */
export function changed(from, to) {
  const paths = new Set([...leaves(from), ...leaves(to)]);
  return [...paths].filter((path) => !same(read(from, path), read(to, path)));
}

/**
 * `base` is what both began with. Answers with the merged profile, holding our side of every
 * conflict; `theirs`: paths that only they changed; `conflicts`: paths that both changed, differently.
 */
export function merge(base, mine, theirs) {
  let merged = theirs;
  const conflicts = [];
  for (const path of changed(base, mine)) {
    merged = written(merged, path, read(mine, path));
    const both = !same(read(base, path), read(theirs, path)) && !same(read(mine, path), read(theirs, path));
    if (both) conflicts.push(path);
  }
  const onlyTheirs = changed(base, theirs).filter((path) => same(read(base, path), read(mine, path)));
  return { merged, conflicts, theirs: onlyTheirs };
}
