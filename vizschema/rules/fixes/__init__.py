"""What `fix` may change, decided on descriptions: each fix proposes, and the judge says whether it helps."""
