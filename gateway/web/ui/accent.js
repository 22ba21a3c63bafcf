// A tenant's one colour, turned into those that stay readable beside it, on paper and on night.

/** The grounds that are nearest to ink in `tokens.css`: what is readable there is so everywhere. */
const PAPER = '#efe7d9';
const NIGHT = '#332c25';
const READABLE = 4.6;

/** Sets the accent's custom properties on an element; what is no `#rrggbb` changes nothing. */
export function setAccent(element, color) {
  if (!/^#[0-9a-f]{6}$/i.test(color ?? '')) return;
  const set = (name, value) => element.style.setProperty(name, value);
  set('--accent', color);
  set('--on-accent', contrast(color, '#ffffff') >= contrast(color, '#1c1712') ? '#ffffff' : '#1c1712');
  set('--accent-ink', `light-dark(${readable(color, PAPER, '#000000')}, ${readable(color, NIGHT, '#ffffff')})`);
}

/** The colour, moved towards an end until it can be read on the ground. */
function readable(color, ground, end) {
  for (let part = 0; part < 1; part += 0.05) {
    const mixed = mix(color, end, part);
    if (contrast(mixed, ground) >= READABLE) return mixed;
  }
  return end;
}

function mix(from, to, part) {
  const [a, b] = [channels(from), channels(to)];
  return `#${a.map((value, i) => Math.round(value + (b[i] - value) * part).toString(16).padStart(2, '0')).join('')}`;
}

/** As WCAG 2 defines it: 1 to 21. */
function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color) {
  const [r, g, b] = channels(color).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function channels(color) {
  return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}
