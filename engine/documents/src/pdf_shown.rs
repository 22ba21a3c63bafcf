//! Tells which words of a page are shown: the library reports all words, also those that nobody sees.
//! Goes through a page's content as the library does, and says of each piece of words whether it is seen.
//! What is not sure counts as seen.

use pdf_extract::content::Content;
use pdf_extract::{Dictionary, Document, Object, ObjectId};

/// Steps of drawing that are followed on a page; one with more is taken as it is.
const STEPS_MAX: usize = 1_000_000;
/// Drawings within drawings.
const DEPTH_MAX: usize = 12;
/// Painted areas that are looked at on a page; beyond them all counts as painted.
const AREAS_MAX: usize = 256;
/// Letters lower than this are no text, in points.
const SIZE_MIN: f64 = 1.0;
/// Colours nearer than this are one.
const SAME_COLOUR: f64 = 0.03;

/// How a piece of words stands on its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Seen,
    Unseen,
    /// Drawn without ink, as the words of a scanned page are.
    Inkless,
}

/// Of each piece of a page's words, in their order, and whether words without ink are the text: a picture covers
/// most of the page, or it shows no others. None when it cannot be told.
pub(super) fn pieces(document: &Document, page: ObjectId) -> Option<(Vec<Shown>, bool)> {
    let dictionary = document.get_dictionary(page).ok()?;
    let frame = numbers(inherited(document, dictionary, b"MediaBox")?, document);
    let [left, bottom, right, top] = frame[..] else { return None };
    let empty = Dictionary::new();
    let resources = inherited(document, dictionary, b"Resources").and_then(|it| it.as_dict().ok()).unwrap_or(&empty);
    let content = document.get_page_content(page).ok()?;
    let frame = Area { left: left.min(right), bottom: bottom.min(top), right: left.max(right), top: bottom.max(top) };
    let mut walk = Walk { document, frame, pieces: Vec::new(), areas: Vec::new(), steps: 0, has_cover: false };
    walk.stream(&content, resources, State::default(), 0)?;
    let is_scan = walk.has_cover || !walk.pieces.contains(&Shown::Seen);
    Some((walk.pieces, is_scan))
}

fn inherited<'a>(document: &'a Document, page: &'a Dictionary, key: &[u8]) -> Option<&'a Object> {
    let mut at = page;
    for _ in 0..64 {
        if let Ok(found) = at.get(key) {
            return document.dereference(found).ok().map(|(_, object)| object);
        }
        at = document.dereference(at.get(b"Parent").ok()?).ok()?.1.as_dict().ok()?;
    }
    None
}

fn numbers(object: &Object, document: &Document) -> Vec<f64> {
    let Ok(list) = object.as_array() else { return Vec::new() };
    list.iter().filter_map(|it| document.dereference(it).ok()?.1.as_float().ok()).map(f64::from).collect()
}

type Matrix = [f64; 6];

fn times(a: Matrix, b: Matrix) -> Matrix {
    [
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
        a[4] * b[0] + a[5] * b[2] + b[4],
        a[4] * b[1] + a[5] * b[3] + b[5],
    ]
}

#[derive(Clone, Copy, Debug)]
struct Area {
    left: f64,
    bottom: f64,
    right: f64,
    top: f64,
}

impl Area {
    fn of(points: &[(f64, f64)], place: Matrix) -> Option<Self> {
        let mut all = points
            .iter()
            .map(|(x, y)| (x * place[0] + y * place[2] + place[4], x * place[1] + y * place[3] + place[5]));
        let (x, y) = all.next()?;
        Some(all.fold(Self { left: x, bottom: y, right: x, top: y }, |area, (x, y)| Self {
            left: area.left.min(x),
            bottom: area.bottom.min(y),
            right: area.right.max(x),
            top: area.top.max(y),
        }))
    }

    fn has(&self, x: f64, y: f64) -> bool {
        x >= self.left - 1.0 && x <= self.right + 1.0 && y >= self.bottom - 1.0 && y <= self.top + 1.0
    }

    fn size(&self) -> f64 {
        (self.right - self.left) * (self.top - self.bottom)
    }
}

/// A colour as red, green and blue; None if it cannot be told.
type Colour = Option<[f64; 3]>;

const WHITE: [f64; 3] = [1.0; 3];
const UNIT: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

#[derive(Clone)]
struct State {
    place: Matrix,
    fill: Colour,
    mode: i64,
    size: f64,
    leading: f64,
}

impl Default for State {
    fn default() -> Self {
        Self { place: UNIT, fill: Some([0.0; 3]), mode: 0, size: 0.0, leading: 0.0 }
    }
}

struct Walk<'a> {
    document: &'a Document,
    frame: Area,
    pieces: Vec<Shown>,
    areas: Vec<(Area, Colour)>,
    steps: usize,
    /// A picture covers most of the page.
    has_cover: bool,
}

impl Walk<'_> {
    fn stream(&mut self, content: &[u8], resources: &Dictionary, mut state: State, depth: usize) -> Option<()> {
        let content = Content::decode(content).ok()?;
        let mut kept: Vec<State> = Vec::new();
        let mut line = UNIT;
        let mut path: Vec<(f64, f64)> = Vec::new();
        for operation in &content.operations {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return None;
            }
            let given = &operation.operands;
            let n: Vec<f64> = given.iter().filter_map(|it| it.as_float().ok()).map(f64::from).collect();
            match (operation.operator.as_str(), n.as_slice()) {
                ("q", _) => kept.push(state.clone()),
                ("Q", _) => state = kept.pop().unwrap_or(state),
                ("cm", &[a, b, c, d, e, f]) => state.place = times([a, b, c, d, e, f], state.place),
                ("BT" | "ET", _) => line = UNIT,
                ("Tm", &[a, b, c, d, e, f]) => line = [a, b, c, d, e, f],
                ("Td", &[x, y]) => line = times([1.0, 0.0, 0.0, 1.0, x, y], line),
                ("TD", &[x, y]) => {
                    state.leading = -y;
                    line = times([1.0, 0.0, 0.0, 1.0, x, y], line);
                }
                ("T*", _) => line = times([1.0, 0.0, 0.0, 1.0, 0.0, -state.leading], line),
                ("TL", &[leading]) => state.leading = leading,
                ("Tf", &[size]) => state.size = size,
                ("Tr", &[mode]) => state.mode = mode as i64,
                ("g" | "rg" | "k", n) => state.fill = colour(n),
                // Of colours with a space of their own only the plain ones are known.
                ("cs", _) => {
                    let name = given.first().and_then(|name| name.as_name().ok()).unwrap_or_default();
                    state.fill = name.starts_with(b"Device").then_some([0.0; 3]);
                }
                ("sc" | "scn", n) => state.fill = state.fill.and_then(|_| colour(n)),
                ("m" | "l", &[x, y]) => path.push((x, y)),
                ("c", &[a, b, c, d, e, f]) => path.extend([(a, b), (c, d), (e, f)]),
                ("v" | "y", &[a, b, c, d]) => path.extend([(a, b), (c, d)]),
                ("re", &[x, y, w, h]) => path.extend([(x, y), (x + w, y), (x, y + h), (x + w, y + h)]),
                ("f" | "F" | "f*" | "B" | "B*" | "b" | "b*", _) => {
                    self.paint(Area::of(&path, state.place), state.fill);
                    path.clear();
                }
                ("n" | "S" | "s", _) => path.clear(),
                ("sh", _) => self.paint(Some(self.frame), None),
                ("Tj", _) => self.show(&given[..given.len().min(1)], &state, line),
                ("TJ", _) => self.show(
                    given.first().and_then(|list| list.as_array().ok()).map_or(&[], Vec::as_slice),
                    &state,
                    line,
                ),
                ("Do", _) => self.draw(given.first()?, resources, &state, depth)?,
                _ => {}
            }
        }
        Some(())
    }

    fn draw(&mut self, name: &Object, resources: &Dictionary, state: &State, depth: usize) -> Option<()> {
        let document = self.document;
        let (_, all) = document.dereference(resources.get(b"XObject").ok()?).ok()?;
        let (_, found) = document.dereference(all.as_dict().ok()?.get(name.as_name().ok()?).ok()?).ok()?;
        let stream = found.as_stream().ok()?;
        if matches!(stream.dict.get(b"Subtype"), Ok(Object::Name(kind)) if kind == b"Image") {
            let area = Area::of(&[(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)], state.place);
            self.has_cover |= area.is_some_and(|area| area.size() * 2.0 > self.frame.size());
            self.paint(area, None);
            return Some(());
        }
        if depth >= DEPTH_MAX {
            return None;
        }
        let own = stream.dict.get(b"Resources").ok().and_then(|it| document.dereference(it).ok()?.1.as_dict().ok());
        let mut state = state.clone();
        let matrix = stream.dict.get(b"Matrix").ok().and_then(|it| document.dereference(it).ok());
        if let Some(&[a, b, c, d, e, f]) = matrix.map(|(_, it)| numbers(it, document)).as_deref() {
            state.place = times([a, b, c, d, e, f], state.place);
        }
        let content = stream.decompressed_content().unwrap_or_else(|_| stream.content.clone());
        self.stream(&content, own.unwrap_or(resources), state, depth + 1)
    }

    fn paint(&mut self, area: Option<Area>, colour: Colour) {
        let Some(area) = area else { return };
        if self.areas.len() < AREAS_MAX {
            self.areas.push((area, colour));
        } else if let Some(last) = self.areas.last_mut() {
            *last = (self.frame, None);
        }
    }

    fn show(&mut self, strings: &[Object], state: &State, line: Matrix) {
        let strings = strings.iter().filter_map(|it| it.as_str().ok());
        let (mut count, mut bytes) = (0, 0);
        for string in strings {
            count += 1;
            bytes += string.len();
        }
        let place = times(line, state.place);
        let (x, y) = (place[4], place[5]);
        let size = state.size.abs() * place[2].hypot(place[3]);
        let below = self.areas.iter().rev().find(|(area, _)| area.has(x, y)).map_or(Some(WHITE), |(_, colour)| *colour);
        let is_alike = matches!((below, state.fill), (Some(a), Some(b))
            if a.iter().zip(b).all(|(a, b)| (a - b).abs() < SAME_COLOUR));
        // Words may run into the page from outside of it.
        let reach = size * (bytes as f64 + 1.0);
        let Area { left, bottom, right, top } = self.frame;
        let is_outside = x > right + size || x + reach < left || y > top + reach || y + reach < bottom;
        let shown = if state.mode == 3 {
            Shown::Inkless
        } else if (is_alike && matches!(state.mode, 0 | 4)) || size < SIZE_MIN || is_outside {
            Shown::Unseen
        } else {
            Shown::Seen
        };
        self.pieces.extend(std::iter::repeat_n(shown, count));
    }
}

fn colour(n: &[f64]) -> Colour {
    match *n {
        [grey] => Some([grey; 3]),
        [red, green, blue] => Some([red, green, blue]),
        [cyan, magenta, yellow, black] => Some([cyan, magenta, yellow].map(|ink| (1.0 - ink) * (1.0 - black))),
        _ => None,
    }
}
