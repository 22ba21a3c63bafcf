// Where an address within words begins and ends, also where no blank stands beside it.
// Invariant: the work is linear in the text; what ends a sentence or a quotation is no part of an address.

/** Letters that are written without blanks, or that take endings: right behind a Latin one the sentence goes on. */
const UNSPACED = String.raw`[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}]`;
/** All of ASCII but blanks, quotes and angles; of other scripts the letters and numbers, and no marks or quotes. */
export const ADDRESS = String.raw`(?<![A-Za-z\d])https?:\/\/(?:[!#-;=?-_a-~]|(?!(?<=[A-Za-z\d])${UNSPACED})[\p{L}\p{M}\p{N}–·]){1,2000}`;
const OPENERS = { ')': '(', ']': '[' };

/** An address without what stands behind it; `marks` are those of emphasis that are open around it. */
export function withoutEnd(found, marks = []) {
  let end = balanced(found);
  for (const mark of marks) {
    if (mark && mark !== '[') end = Math.min(end, closing(found, mark));
  }
  while (end && '.,;:!?\'"}–'.includes(found[end - 1])) end -= 1;
  return found.slice(0, end);
}

/** Up to a bracket that was opened before the address. */
function balanced(found) {
  const open = { '(': 0, '[': 0 };
  for (let at = 0; at < found.length; at += 1) {
    const sign = found[at];
    if (sign in open) open[sign] += 1;
    else if (sign in OPENERS && --open[OPENERS[sign]] < 0) return at;
  }
  return found.length;
}

/** Where the emphasis around an address ends in it. */
function closing(found, mark) {
  const within = mark === '*' || mark[0] === '_';
  for (let at = found.indexOf(mark); at >= 0; at = found.indexOf(mark, at + 1)) {
    if (!within || !/[\p{L}\p{N}]/u.test(found[at + mark.length] ?? ' ')) return at;
  }
  return found.length;
}
