// Two models against each other.
const TILES = 18;

function probability(value) {
  if (value >= 0.001) return `p = ${value.toFixed(3)}`;
  if (value === 0) return "p < 10⁻³⁰⁰";
  const [digits, exponent] = value.toExponential(1).split("e");
  const raised = [...exponent].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");
  return `p = ${digits} × 10${raised}`;
}

function onlyWrong(model, other) {
  const shared = new Set(other.mistakes);
  return [...model.mistakes.keys()].filter((mistake) => !shared.has(model.mistakes[mistake]));
}

function verdict(one, other, test) {
  if (one === other) return `Both are ${one.name}: choose two models.`;
  const { onlyOne, onlyOther, pValue } = test;
  const winner = onlyOne > onlyOther ? one : other;
  const clear = pValue < 0.05 ? `${winner.name} is better beyond chance` : "the difference may be chance";
  return (
    `${one.name} gets ${count(onlyOne, "test image")} right that ${other.name} gets wrong, ` +
    `and ${other.name} ${onlyOther.toLocaleString("en")} that ${one.name} gets wrong. ` +
    `McNemar’s exact test: ${probability(pValue)}, ${clear} at the 5 % level.`
  );
}

function testOf(first, second) {
  const turned = first > second;
  const [low, high] = turned ? [second, first] : [first, second];
  const found = page.comparisons.find((pair) => pair.first === low && pair.second === high);
  if (!found) return null;
  const counts = turned ? [found.onlySecond, found.onlyFirst] : [found.onlyFirst, found.onlySecond];
  return { onlyOne: counts[0], onlyOther: counts[1], pValue: found.pValue };
}

function listOnly(id, winner, loser) {
  const mistakes = onlyWrong(loser, winner);
  const list = find(id);
  find(`${id}-title`).textContent = `Only ${winner.name} is right: ${count(mistakes.length, "image")}`;
  showInSteps(list, list.nextElementSibling, mistakes, (mistake) => tile(loser, mistake), TILES);
}

function comparePair() {
  const [first, second] = [Number(find("first").value), Number(find("second").value)];
  const [one, other] = [page.models[first], page.models[second]];
  find("verdict").textContent = verdict(one, other, testOf(first, second));
  const rows = one.perClass.map((scores, place) => ({
    class: scores.class,
    difference: 100 * (scores.recall - other.perClass[place].recall),
  }));
  fill("differences", "differences", rows);
  listOnly("only-first", one, other);
  listOnly("only-second", other, one);
}

for (const id of ["first", "second"]) find(id).addEventListener("change", comparePair);
