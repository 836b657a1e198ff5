"""Draws the sample documents, and writes the jobs that an extraction of them would give.

What is true by construction: each value's page, words and box are noted when the value is drawn, so a citation
cannot be wrong. What is made up: the people, the companies, the figures, and the confidence.

The rule of confidence, for a value at a path: `extraction_confidence` is 0.9 to 0.999 and `parsing_confidence` 0.95 to
0.999, each from a hash of the path; a value drawn faintly has 0.6 of that parsing confidence, one whose words
stand in the document more than once 0.9 of that extraction confidence; `confidence` is the product of the two. A
value that was inferred and not read has no citation and half the extraction confidence. A null has no entry.
"""
