/** Length up to which a name is too short for a search inside other names. */
const MAX_SHORT_LENGTH = 4;
/** Number of letters per allowed typing error. */
const LETTERS_PER_TYPO = 5;

function normalize(name: string): string {
  return name.toLowerCase().replaceAll(/[_\s-]/g, '');
}

/** Returns the number of letters to insert, delete, replace or swap with the next one, to turn one text into another. */
function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + (isSame ? 0 : 1),
          isSwap ? (beforePrevious[column - 2] ?? 0) + 1 : Infinity,
        ),
      );
    }
    [beforePrevious, previous] = [previous, current];
  }
  return previous[to.length] ?? 0;
}

/** Returns the only name that contains a name or is contained in it, or undefined. */
function findRelated(name: string, candidates: readonly string[]): string | undefined {
  if (name.length <= MAX_SHORT_LENGTH) return undefined;
  const related = candidates.filter((candidate) => {
    const other = normalize(candidate);
    return other.includes(name) || name.includes(other);
  });
  return related.length === 1 ? related[0] : undefined;
}

/**
 * Returns the name that was probably meant, or undefined. Case, `_` and `-` make no difference.
 * @param aliases names that other libraries use, in lower case without `_` and `-`
 */
export function closestName<Name extends string>(
  wrong: string,
  candidates: readonly Name[],
  aliases: Readonly<Record<string, Name>> = {},
): Name | undefined {
  const name = normalize(wrong);
  if (Object.hasOwn(aliases, name)) return aliases[name];
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: editDistance(name, normalize(candidate)) }))
    .toSorted((left, right) => left.distance - right.distance);
  if (best === undefined) return undefined;
  if (best.distance <= Math.ceil(best.candidate.length / LETTERS_PER_TYPO)) return best.candidate;
  return candidates.find((candidate) => candidate === findRelated(name, candidates));
}
