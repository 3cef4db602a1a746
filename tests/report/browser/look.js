// Opens a page in headless Chromium and prints what a visitor would meet, as one JSON object.
const { chromium } = require('playwright-core');

(async () => {
  const [page, executablePath, shots] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const seen = {};
  const looks = {
    light: { viewport: { width: 1000, height: 900 } },
    dark: { viewport: { width: 1000, height: 900 }, colorScheme: 'dark' },
    narrow: { viewport: { width: 390, height: 800 } },
  };
  for (const [name, options] of Object.entries(looks)) {
    const tab = await browser.newPage(options);
    const problems = [], requests = [];
    tab.on('console', (m) => { if (['error', 'warning'].includes(m.type())) problems.push(m.text()); });
    tab.on('pageerror', (e) => problems.push(String(e)));
    tab.on('request', (r) => { if (!/^(file|data|blob):/.test(r.url())) requests.push(r.url()); });
    await tab.goto('file://' + page);
    await tab.waitForFunction(() => !window.Bokeh || window.Bokeh.documents.length > 0);
    await tab.waitForTimeout(500);
    const found = await tab.evaluate(() => ({
      overflow: document.documentElement.scrollWidth - window.innerWidth,
      background: getComputedStyle(document.body).backgroundColor,
      verdict: document.getElementById('verdict').textContent,
    }));
    if (name === 'light' && (await tab.$('#map'))) {
      const map = await tab.$('#map');
      await map.scrollIntoViewIfNeeded();
      const box = await map.boundingBox();
      const range = () => tab.evaluate(() => {
        const plot = window.Bokeh.documents[0].roots()[0];
        return plot.x_range.end - plot.x_range.start;
      });
      const before = await range();
      await tab.mouse.move(box.x + 260, box.y + 200);
      await tab.waitForTimeout(500);
      found.tooltip = await tab.evaluate(() => {
        const texts = [];
        const walk = (node) => {
          if (node.shadowRoot) walk(node.shadowRoot);
          for (const child of node.childNodes) walk(child);
          if (node.classList && node.classList.contains('bk-tooltip-row-value')) texts.push(node.textContent);
        };
        walk(document.body);
        return texts;
      });
      await tab.mouse.wheel(0, -500);
      await tab.waitForTimeout(500);
      found.zoomed = (await range()) / before;
    }
    if (shots) await tab.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
    seen[name] = { ...found, problems, requests };
  }
  await browser.close();
  console.log(JSON.stringify(seen));
})();
