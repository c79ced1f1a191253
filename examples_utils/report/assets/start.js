startTheme();
if (table) {
  startTable();
  startSections();
}
// After two frames, the visible plots have been drawn.
requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("ready")));
