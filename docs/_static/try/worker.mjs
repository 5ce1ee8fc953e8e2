// Runs the library in a thread of its own, so that the page never stands still: Pyodide, the wheels, and try_page.py.

const base = new URL("./", import.meta.url);

async function fetched(path) {
  const response = await fetch(new URL(path, base));
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response;
}

async function started(manifest) {
  const indexURL = new URL(manifest.pyodide, base).href;
  const archives = Promise.all(
    manifest.archives.map(async (path) => [path, await (await fetched(path)).arrayBuffer()]),
  );
  archives.catch(() => {}); // told below, where it is awaited
  const { loadPyodide } = await import(`${indexURL}pyodide.mjs`);
  self.postMessage({ progress: "Starting Python." });
  // The lock file without its packages: nothing is ever loaded by name, so nothing is looked for elsewhere.
  const lockFileContents = await (await fetched(`${manifest.pyodide}lock.json`)).text();
  const pyodide = await loadPyodide({ indexURL, packages: [], lockFileContents });
  self.postMessage({ progress: "Reading the rules." });
  for (const [path, data] of await archives) {
    if (path.endsWith(".whl")) pyodide.unpackArchive(data, "wheel");
    else pyodide.FS.writeFile("try_page.py", new Uint8Array(data));
  }
  return pyodide.pyimport("try_page").respond;
}

let respond;

self.onmessage = async ({ data: { id, manifest, request } }) => {
  try {
    if (manifest) {
      respond = await started(manifest);
      self.postMessage({ id, answer: null });
    } else {
      self.postMessage({ id, answer: JSON.parse(respond(JSON.stringify(request))) });
    }
  } catch (error) {
    // Of what Python says, the last line tells what it was.
    self.postMessage({ id, error: String(error.message ?? error).trim().split("\n").at(-1) });
  }
};
