// Everything that can be opened or drawn is.
async () => {
  const frame = () => new Promise(requestAnimationFrame);
  for (const section of document.querySelectorAll(".benchmark")) section.style.contentVisibility = "visible";
  const show = document.getElementById("-show");
  show.value = "*";
  show.dispatchEvent(new Event("change"));
  // Opening some makes others; they tell on the frame after.
  for (let round = 0; round < 3; round++) {
    document.querySelectorAll("details").forEach((details) => { details.open = true; });
    await frame();
    await frame();
  }
  for (const plot of document.querySelectorAll(".plot")) {
    plot.scrollIntoView();
    while (!plot.firstChild) await frame();
  }
}
