// Dark or light: the system's preference, until the button overrides it.
function startTheme() {
  const button = document.getElementById("-theme");
  const dark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.setAttribute("aria-label", "Switch between dark and light");
  button.onclick = () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    name();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();
}
