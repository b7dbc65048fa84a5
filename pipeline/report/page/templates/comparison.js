// Comparison of two models.
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

// McNemar's test counts images, the t-test compares means over the seeds.
function outcome(one, other, found) {
  if (found.test === "McNemar") {
    const [onlyOne, onlyOther] = [onlyWrong(other, one).length, onlyWrong(one, other).length];
    return (
      `${count(onlyOne, "test image")} classified correctly by ${one.name} only, ` +
      `${onlyOther.toLocaleString("en")} by ${other.name} only. McNemar’s exact test`
    );
  }
  const points = (fraction) => (100 * Math.abs(fraction)).toFixed(2);
  const side = found.difference < 0 ? "lower" : "higher";
  return (
    `The mean accuracy of ${one.name} (${count(one.seeds, "seed")}) is ${points(found.difference)} points ${side} than ` +
    `that of ${other.name} (${count(other.seeds, "seed")}), standard error ${points(found.standardError)}. ` +
    `T-test over seeds and images`
  );
}

function singleSeedNote(one, other, found) {
  const single = [one, other].filter((model) => model.seeds === 1).map((model) => model.name).join(" and ");
  if (!single) return "";
  if (found.test === "McNemar") return ` Training variance is not included: ${single} have a single seed each.`;
  return ` The seed variance of ${single} is the mean of the models with several seeds.`;
}

function verdict(one, other, found) {
  if (one === other) return `Both are ${one.name}: select two models.`;
  const winner = found.difference > 0 ? one : other;
  const clear = found.significant ? `${winner.name} is significantly better` : "no significant difference";
  return (
    `${outcome(one, other, found)}: ${probability(found.pValue)}, and ${probability(found.corrected)} corrected for ` +
    `${count(page.comparisons.length, "pair")}: ${clear} at the 5 % level.${singleSeedNote(one, other, found)}`
  );
}

function testOf(first, second) {
  const turned = first > second;
  const [low, high] = turned ? [second, first] : [first, second];
  const found = page.comparisons.find((pair) => pair.first === low && pair.second === high);
  return found && { ...found, difference: turned ? -found.difference : found.difference };
}

function listOnly(id, winner, loser) {
  const mistakes = onlyWrong(loser, winner);
  const list = find(id);
  find(`${id}-title`).textContent = `Correct only with ${winner.name}: ${count(mistakes.length, "image")}`;
  showInSteps(list, list.nextElementSibling, mistakes, (mistake) => tile(loser, mistake), TILES);
}

function comparePair() {
  const [first, second] = [Number(find("first").value), Number(find("second").value)];
  const [one, other] = [page.models[first], page.models[second]];
  find("verdict").textContent = verdict(one, other, testOf(first, second));
  const rows = one.perClass.map((scores, index) => ({
    class: scores.class,
    difference: 100 * (scores.recall - other.perClass[index].recall),
  }));
  fill("differences", "differences", rows);
  listOnly("only-first", one, other);
  listOnly("only-second", other, one);
}

for (const id of ["first", "second"]) find(id).addEventListener("change", comparePair);
