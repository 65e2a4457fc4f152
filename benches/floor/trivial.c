/* The floor of a whole command: a program that only ends. */
int main(void) { return 0; }
