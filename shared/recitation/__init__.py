"""The recitation domain: verses, normalisation, the reference aligner, grading, smoothing, scoring. Pure."""
