"""Draws the sample documents, and writes the jobs that an extraction of them would give.

What is true by construction: each value's page, words and box are noted when the value is drawn, so a citation
cannot be wrong. What is made up: the people, the companies, the figures, and the confidence.

The rule of confidence, for a value at a path: `extraction_confidence` is 0.9 to 0.999 and `parsing_confidence` 0.95 to
0.999, each from a hash of the path; a value drawn faintly has 0.6 of that parsing confidence, one read from prose
that another value was read from too 0.9 of that extraction confidence; `confidence` is the product of the two. A
value that was inferred and not read has no citation and half the extraction confidence. A null has no entry.

Numbers that could belong to somebody are of kinds that nobody is given: the IBAN has a bank code that begins with 9,
the sort code begins with 00, the VAT number has a wrong check digit.
"""
