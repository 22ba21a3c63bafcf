// Cuts Markdown into blocks: paragraphs, lists, code, quotes, tables, headings, rules.
// Invariant: text appended at the end changes the last two blocks at most, so that a reply that
// grows is never built anew from its start.

const FENCE = /^ {0,3}(`{3,}|~{3,})[^`]*$/;
const HEADING = /^ {0,3}#{1,6}\s+(.*)$/;
const RULE = /^ {0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
// `08.` is a date and `+ 34` a telephone number: no list would show them as they were written.
const ITEM = /^( {0,3})([-*•]|\+(?![ \t]+\d)|(?:0|[1-9]\d{0,8})[.)])(?:[ \t]+|$)/;
const DELIMITERS = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const COLUMNS = 24;
/** A longer line is no row of a table: its check would take too long. */
const ROW_MAX = 4000;

/** The blocks of a text; each knows at which unit it begins. */
export function blocks(text) {
  const lines = text.split('\n');
  const found = [];
  let at = 0;
  const starts = lines.map((line) => {
    const start = at;
    at += line.length + 1;
    return start;
  });
  for (let i = 0; i < lines.length;) {
    if (!lines[i].trim()) {
      i += 1;
      continue;
    }
    const [block, next] = read(lines, i);
    found.push({ ...block, from: starts[i] });
    i = next;
  }
  return found;
}

function read(lines, i) {
  const line = lines[i];
  const fence = line.match(FENCE);
  if (fence) return code(lines, i, fence[1]);
  const heading = line.match(HEADING);
  if (heading) return [{ type: 'heading', text: heading[1].replace(/\s#{1,6}$/, '').trim() }, i + 1];
  if (RULE.test(line)) return [{ type: 'rule' }, i + 1];
  if (QUOTE.test(line)) return quote(lines, i);
  if (ITEM.test(line)) return list(lines, i);
  if (isTable(lines, i)) return table(lines, i);
  return paragraph(lines, i);
}

/** A fence that is still open holds all that follows: more is to come. */
function code(lines, i, fence) {
  const inner = [];
  let next = i + 1;
  const closes = (line) => line.trim().startsWith(fence) && !line.trim().replaceAll(fence[0], '');
  while (next < lines.length && !closes(lines[next])) inner.push(lines[next++]);
  return [{ type: 'code', text: inner.join('\n') }, next + 1];
}

function quote(lines, i) {
  const inner = [];
  let next = i;
  while (next < lines.length && QUOTE.test(lines[next])) inner.push(lines[next++].replace(QUOTE, ''));
  return [{ type: 'quote', text: inner.join('\n') }, next];
}

function list(lines, i) {
  const [, , first] = lines[i].match(ITEM);
  const ordered = /\d/.test(first);
  const sort = ordered ? first.at(-1) : first;
  const items = [];
  const numbers = [];
  let next = i;
  let indent = 0;
  while (next < lines.length) {
    const line = lines[next];
    const item = line.match(ITEM);
    if (item && items.length && leading(line) >= indent) items.at(-1).push(line.slice(indent));
    else if (item && (/\d/.test(item[2]) ? item[2].at(-1) : item[2]) === sort && !RULE.test(line)) {
      indent = Math.min(item[0].length, item[1].length + item[2].length + 1);
      items.push([line.slice(item[0].length)]);
      numbers.push(parseInt(item[2], 10));
    } else if (item) break;
    else if (!line.trim()) {
      // A blank line goes with the list when the list goes on behind it.
      const behind = lines[next + 1];
      if (behind === undefined || !(ITEM.test(behind) || leading(behind) >= Math.min(indent, 2))) break;
      items.at(-1).push('');
    } else if (leading(line) > 0) items.at(-1).push(line.slice(Math.min(indent, leading(line))));
    else if (lines[next - 1].trim() && !HEADING.test(line) && !FENCE.test(line) && !QUOTE.test(line)) items.at(-1).push(line);
    else break;
    next += 1;
  }
  // Dates and rooms leave numbers out. Who writes the same number everywhere has them counted.
  const [start] = numbers;
  const counts = !ordered || numbers.every((number) => number === start) || numbers.every((number, n) => number === start + n);
  return [{ type: 'list', ordered, start, numbers: counts ? [] : numbers, items: items.map((item) => item.join('\n')) }, next];
}

function leading(line) {
  return line.length - line.trimStart().length;
}

function isTable(lines, i) {
  const under = lines[i + 1] ?? '';
  return lines[i].includes('|') && under.length < ROW_MAX && under.includes('|') && DELIMITERS.test(under);
}

function table(lines, i) {
  const head = cells(lines[i]);
  const aligns = cells(lines[i + 1]).map((cell) => {
    if (!cell.endsWith(':')) return null;
    return cell.startsWith(':') ? 'center' : 'end';
  });
  const rows = [];
  let next = i + 2;
  while (next < lines.length && lines[next].includes('|')) {
    const row = cells(lines[next++]);
    rows.push(head.map((_, column) => row[column] ?? ''));
  }
  return [{ type: 'table', head, aligns, rows }, next];
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, '').replace(/(?<!\\)\|$/, '');
  return inner.split(/(?<!\\)\|/, COLUMNS).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function paragraph(lines, i) {
  const inner = [];
  let next = i;
  while (next < lines.length && lines[next].trim()) {
    const line = lines[next];
    const other = FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line) || isTable(lines, next);
    if (other && next > i) break;
    inner.push(line.trim());
    next += 1;
  }
  return [{ type: 'paragraph', text: inner.join('\n') }, next];
}
