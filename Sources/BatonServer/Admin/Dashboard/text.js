// Texts and figures for people.

/** A stranger's text: what is invisible, or would turn what stands around it, is spelled out. */
export function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

export function shown(text) {
  const node = document.createElement("bdi");
  node.textContent = visible(text);
  return node;
}

export function number(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let index = 0;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  return `${number(value)} ${units[index]}`;
}

export function span(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).map(([size, unit], index) => {
    const count = Math.floor((index ? seconds % parts[first][0] : seconds) / size);
    return count || !index ? `${count} ${unit}` : "";
  }).join(" ").trim();
}
